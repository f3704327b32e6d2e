// What any pass on the CPU uses within one step: threads, memory of a tile, tables. Nothing here
// outlives a step but as room for the next.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/cpu/cpu_network.h"
#include "core/cpu/crew.h"
#include "core/cpu/inputs.h"
#include "core/machine/memory.h"

namespace qwen3_embed {

// A step that goes row by row is handed out by so many rows: some microseconds of work, and
// something for every thread.
int64_t rows_at_once(int64_t n_rows, int n_threads);

inline size_t float_bytes(int64_t n_rows, int64_t width) {
  return static_cast<size_t>(n_rows * width) * sizeof(float);
}

// What one thread needs for itself.
struct Bench {
  std::vector<uint8_t> bytes;             // of a row as it stands in the file
  std::vector<float> row;                 // (n_embd)
  std::vector<kernels::KeyRun> key_runs;  // of a question
  std::vector<float> low_row;             // of an adapter's inner rows
  std::unique_ptr<Inputs> low_rows;       // some of these
  uint8_t* attention_scratch;             // kernels::kAttentionScratch
};

// Those of all threads. A crew of some of them works while the one of all does not, so the two use
// the same.
struct Benches {
  explicit Benches(size_t n) : of(n), scratch(kernels::kAttentionScratch * n) {
    for (size_t i = 0; i < n; ++i)
      of[i].attention_scratch =
          static_cast<uint8_t*>(scratch.data()) + i * kernels::kAttentionScratch;
  }
  std::vector<Bench> of;
  Buffer scratch;
};

class Workspace {
 public:
  // The crew's threads have the benches from `first_bench` on.
  Workspace(std::unique_ptr<Crew> crew, std::shared_ptr<const CpuNetwork> network, int32_t tile,
            std::shared_ptr<Benches> benches, size_t first_bench);

  const CpuNetwork& net() const { return *net_; }
  const Network& network() const { return *net_->network; }
  const kernels::Kernels& kernel() const { return *net_->kernels; }
  Crew& crew() { return *crew_; }
  const std::shared_ptr<const CpuNetwork>& shared_net() const { return net_; }
  const std::shared_ptr<Benches>& benches() const { return benches_; }
  int32_t tile() const { return tile_; }  // most rows that go through a block together

  // Room for a tile of a pack of n_rows.
  void reserve(int32_t n_rows);
  // work(row, bench) for each row, by all threads. `what` they do is for a log.
  template <typename Work>
  void each_row(const char* what, int32_t n_rows, const Abort& abort, const Work& work);
  void multiply(const Abort& abort, const Inputs& inputs, const std::vector<Task>& tasks) {
    run_products(*crew_, abort, ggml_, inputs, tasks);
  }
  // And what `adapters` add to their results; these may be null.
  void multiply(const Abort& abort, const Inputs& inputs, const std::vector<Task>& tasks,
                const CpuAdapters* adapters);
  Bench& bench(int worker) { return benches_->of[first_bench_ + static_cast<size_t>(worker)]; }

  // cos and sin of positions [0, n_positions). (n_positions, head_dim)
  const float* angles() const { return angles_.floats(); }
  void grow_angles(int32_t n_positions, const Abort& abort);
  // Gives a table back that is larger than usual.
  void trim_angles(int32_t usual);

  Inputs embd_inputs, q_inputs, ff_inputs;
  Buffer q, gate, up;  // (tile, n_q), (tile, n_ff) twice; attention's result replaces q

 private:
  void ask_for_forms();
  void add(const Abort& abort, const CpuAdapters& adapters, const std::vector<Task>& tasks,
           int64_t n_rows);

  std::shared_ptr<const CpuNetwork> net_;
  std::unique_ptr<Crew> crew_;
  const int32_t tile_;
  GgmlWorkers ggml_;
  const std::shared_ptr<Benches> benches_;
  const size_t first_bench_;
  Buffer angles_;
  int32_t n_angles_ = 0;
  int64_t width_ = 0;  // of the widest A
  Buffer low_rank_;    // (tile, width)
};

template <typename Work>
void Workspace::each_row(const char* what, int32_t n_rows, const Abort& abort, const Work& work) {
  const auto at_once = static_cast<int32_t>(rows_at_once(n_rows, crew_->n_threads()));
  crew_->tell(what);
  crew_->each((n_rows + at_once - 1) / at_once, abort, [&](int64_t item, int worker) {
    const auto begin = static_cast<int32_t>(item) * at_once,
               end = std::min(n_rows, begin + at_once);
    for (int32_t row = begin; row < end; ++row) work(row, bench(worker));
  });
}

}  // namespace qwen3_embed
