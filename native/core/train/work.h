// Threads, kernels and tables that every pass of the training uses.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "core/cpu/crew.h"
#include "core/cpu/product.h"
#include "core/cpu/workspace.h"
#include "core/train/lora.h"
#include "core/train/weights.h"

namespace qwen3_embed::train {

class Work {
 public:
  Work(Crew& crew, const TrainedWeights& weights, const Abort& abort);

  Crew& crew() { return crew_; }
  const kernels::Kernels& kernel() const { return weights_.kernels(); }
  const TrainedWeights& weights() const { return weights_; }
  const Network& network() const { return weights_.network(); }
  const Abort& abort() const { return abort_; }

  // work(row, worker) for each row.
  template <typename Each>
  void each_row(int64_t n_rows, const Each& each) {
    const int64_t at_once = rows_at_once(n_rows, crew_.n_threads());
    crew_.each((n_rows + at_once - 1) / at_once, abort_, [&](int64_t item, int worker) {
      const int64_t end = std::min(n_rows, (item + 1) * at_once);
      for (int64_t row = item * at_once; row < end; ++row) each(row, worker);
    });
  }
  void multiply(const Inputs& inputs, const std::vector<Task>& tasks) {
    run_products(crew_, abort_, ggml_, inputs, tasks);
  }

  // y (n_rows, n_out) = W x + s B A x for rows x (n_rows, n_in); `h` (n_rows, padded_rank) gets A
  // x. `added` (n_rows, n_out) is added, or null; it may be y.
  void forward(const TrainedProduct& product, const float* x, int64_t n_rows, const float* added,
               float* y, float* h);
  // h alone.
  void lower(const TrainedProduct& product, const float* x, int64_t n_rows, float* h);
  // dx = or += Wᵀ dy + Aᵀ dh, and the gradients of the adapter; dx null: these alone.
  void backward(const TrainedProduct& product, const float* x, const float* h, const float* dy,
                int64_t n_rows, bool adds, float* dx, Lora& lora);

  const float* angles(int32_t n_positions);  // (n_positions, head_dim)
  uint8_t* attention_scratch(int worker) {
    return static_cast<uint8_t*>(scratch_.data()) +
           static_cast<size_t>(worker) * kernels::kAttentionScratch;
  }

 private:
  const Inputs& store(const std::vector<const Product*>& products, const float* x, int64_t n_rows,
                      int64_t n_in);

  Crew& crew_;
  const TrainedWeights& weights_;
  const Abort& abort_;
  GgmlWorkers ggml_;
  std::map<unsigned, Inputs> inputs_;  // by the forms they are in: room that is used again
  Buffer scratch_, dh_;
  Vector angles_;
};

}  // namespace qwen3_embed::train
