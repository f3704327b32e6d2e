// The forward pass on the CPU: our own crew of threads, kernels of ours or ggml's products, one
// layer at a time.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "core/cpu/crew.h"
#include "core/cpu/products.h"
#include "core/file/weights.h"
#include "core/packed/outputs.h"
#include "core/packed/packed.h"
#include "core/packed/trie.h"

namespace qwen3_embed {

class PackedCpu : public Forward {
 public:
  PackedCpu(const Gguf& file, const Facts& facts, const PackedOptions& options);

  const Limits& limits() const override { return limits_; }
  void run(const Pack& pack, const Abort& abort, const RowSink& sink, const Pause& pause) override;
  ForwardTimes times() const override { return times_; }

 private:
  struct Layer {
    const LayerWeights* weights;
    std::unique_ptr<Product> wq, wk, wv, wo, gate, up, down;
  };
  // Rows that go through a layer together: rows [first, first + n) of the pack, or of `listed` if
  // that is given.
  struct Tile {
    int32_t first;
    int32_t n;
    const std::vector<int32_t>* listed;
    int32_t row(int32_t i) const {
      return listed ? (*listed)[static_cast<size_t>(first + i)] : first + i;
    }
  };
  // Consecutive tokens of one run, asking for attention.
  struct Question {
    int32_t position;
    int32_t first;  // in the tile
    int32_t n;
    int32_t spans_begin, spans_end;  // in spans_: where the keys from position 0 on stand
  };

  // What a pass keeps from one tile to the next.
  struct Rows {
    Buffer hidden;   // (n_rows, n_embd)
    Buffer outputs;  // (n_outputs, n_embd)
    Buffer k, v;     // (n_rows, n_kv), of one layer
  };
  class Aside;

  void load(const PackedOptions& options);
  void reserve(int32_t n_rows, int32_t n_outputs);
  void release();

  // The story of a pass, in order.
  void compute(const Trie& trie, const std::vector<int32_t>& outputs);
  void embed(const Trie& trie);
  void layer(const Layer& layer, const Trie& trie);
  void last_layer(const Layer& layer, const Trie& trie, const std::vector<int32_t>& outputs);
  void final_norm(float* hidden, int32_t n_rows);

  // The steps of a layer.
  void norm(const float* hidden, const Vector& weight, int32_t n_rows);
  void project(const Layer& layer, const Tile& tile, bool queries, bool keys);
  void rotate(const Layer& layer, const Trie& trie, const Tile& tile, bool queries, bool keys);
  void attend(const Layer& layer, const Trie& trie, const Tile& tile);
  void mix(const Layer& layer, float* hidden, int32_t n_rows);
  void feed_forward(const Layer& layer, float* hidden, int32_t n_rows);

  std::vector<Question> ask(const Trie& trie, const Tile& tile);
  void answer(const Question& question, int64_t head, bool may_round, int worker);
  void grow_angles(const Trie& trie);
  template <typename Work>
  void each_row(int32_t n_rows, const Work& work);
  void start_lap();
  void lap(double& stage_ms);
  void stand_aside();

  const Facts facts_;
  const PackedOptions options_;
  const int32_t n_embd_, n_q_, n_kv_, n_ff_, tile_;
  const float epsilon_;
  Limits limits_;
  Weights weights_;
  Crew crew_;
  Products products_;
  std::vector<Layer> layers_;
  RankHead head_;

  Inputs embd_inputs_, q_inputs_, ff_inputs_;  // of a tile
  Rows rows_, other_rows_;                     // of the pass, and of one that stands aside
  Buffer q_, gate_, up_;                       // of a tile; attention's result replaces q
  Buffer angles_;                              // (n_positions, head_dim)
  int32_t n_angles_ = 0;
  Buffer scratch_;  // kAttentionScratch for each worker
  std::vector<Span> spans_;
  std::vector<std::vector<kernels::KeyRun>> key_runs_;  // for each worker

  const Abort* abort_ = nullptr;
  const Pause* pause_ = nullptr;
  bool stands_aside_ = false;  // another pass does, while this one runs
  int64_t lap_ = 0;
  ForwardTimes times_;
};

template <typename Work>
void PackedCpu::each_row(int32_t n_rows, const Work& work) {
  const auto at_once = static_cast<int32_t>(rows_at_once(n_rows, crew_.n_threads()));
  crew_.each((n_rows + at_once - 1) / at_once, *abort_, [&](int64_t item, int worker) {
    const auto begin = static_cast<int32_t>(item) * at_once,
               end = std::min(n_rows, begin + at_once);
    for (int32_t row = begin; row < end; ++row) work(row, worker);
  });
}

}  // namespace qwen3_embed
