// One pack on its way through the network on the CPU. The story of a pass, in order: begin, embed,
// each block tile by tile, the last norm, rows.
#pragma once

#include <memory>
#include <vector>

#include "core/cpu/attention.h"
#include "core/cpu/cpu_forward.h"
#include "core/machine/stopwatch.h"

namespace qwen3_embed {

// What earlier passes have kept of a pack's sequences, and what this one is to keep.
struct PrefixUse {
  std::vector<std::shared_ptr<const KeptPrefix>> kept;
  std::vector<KeptPart> parts;          // (n_seq), into `kept`; or empty
  std::shared_ptr<KeptPrefix> keeping;  // filled block by block; or null
  size_t i_keeping = 0;                 // the sequence that begins with it
};

class CpuPass final : public Pass {
 public:
  CpuPass(CpuForward& forward, const Pack& pack);
  ~CpuPass() override;
  CpuPass(const CpuPass&) = delete;
  CpuPass& operator=(const CpuPass&) = delete;

  bool step(const Abort& abort) override;
  RowView row(size_t i_sequence) override;

 private:
  // A block is one sweep over the rows where each sees only rows before it and all are wanted: what
  // a tile needs of others is there when its turn comes. Else it is two: keys and values of all
  // rows, then the answers of those that are wanted.
  enum class Sweep { all, keys, answers };

  CpuPass(CpuForward& forward, const Pack& pack, PrefixUse prefixes);

  void take_step(const Abort& abort);
  void embed(const Abort& abort);
  void run_tile(const Abort& abort);
  void start_block();
  void go_on();
  void gather_picked();
  void keep_block();
  void finish(const Abort& abort);

  // The steps of a block, for the rows of a tile.
  void read(const float* hidden, const Norm& norm, int32_t n_rows, const Abort& abort);
  void project(const CpuBlock& block, const Tile& tile, bool queries, bool keys,
               const Abort& abort);
  void rotate(const Block& block, const Tile& tile, bool queries, bool keys, const Abort& abort);
  void attend(const CpuBlock& block, const Tile& tile, const Abort& abort);
  void answer(const Question& question, const AttentionPlan& plan, int64_t head,
              kernels::Rounding rounding, Bench& bench) const;
  void mix(const CpuBlock& block, float* hidden, int32_t n_rows, const Abort& abort);
  void feed_forward(const CpuBlock& block, float* hidden, int32_t n_rows, const Abort& abort);
  // The gated rows in one product, where that can be.
  bool gate_at_once(const CpuBlock& block, const Abort& abort);
  void gate_in_floats(const CpuBlock& block, int32_t n_rows, const Abort& abort);
  // hidden += linear(inputs), `adapters` with it.
  void add_product(const CpuLinear& linear, const CpuAdapters* adapters, const Inputs& inputs,
                   float* hidden, int32_t n_rows, const Abort& abort);
  void norm_in_place(const Norm& norm, float* hidden, int32_t n_rows, const Abort& abort);

  const AttentionPlan& plan(const Tile& tile);
  int32_t queries_at_once(int32_t n_rows) const;
  // The last block answers for the rows that are read alone, where not all are.
  bool picks_rows() const {
    return i_block_ + 1 == work_.net().blocks.size() && !outputs_.rows().empty();
  }
  bool sweeps_picked() const { return sweep_ == Sweep::answers && picks_rows(); }
  int32_t n_sweep_rows() const;

  CpuForward& forward_;
  const int crew_;
  Workspace& work_;
  const Network& net_;
  const bool are_queries_;
  const PrefixUse prefixes_;
  const Trie trie_;
  Outputs outputs_;
  PassRows rows_;
  std::vector<AttentionPlan> plans_;         // of the tiles of all rows
  std::vector<AttentionPlan> picked_plans_;  // of the tiles of outputs_.rows()

  bool embedded_ = false, finished_ = false;
  size_t i_block_ = 0;
  Sweep sweep_ = Sweep::all;
  int32_t first_ = 0;  // row of the next tile

  Stopwatch watch_;
  ForwardTimes times_;
};

}  // namespace qwen3_embed
