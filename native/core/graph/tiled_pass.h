// A pack of more rows than go through a block together: a graph for each block and tile, with the
// hidden states of all rows and the keys and values of one block.
#pragma once

#include <utility>
#include <vector>

#include "core/graph/draft.h"
#include "core/graph/graph_forward.h"

namespace qwen3_embed {

class TiledPass final : public Pass {
 public:
  TiledPass(GraphForward& forward, Trie trie, const Pack& pack, int32_t tile);

  bool step(const Abort& abort) override;
  RowView row(size_t i_sequence) override;

 private:
  // A graph for some rows and what goes up with it.
  struct Part {
    Part(const TiledPass& pass, Indices all)
        : indices(std::move(all)),
          draft(1, pass.n_adapters_, pass.are_queries_,
                static_cast<int64_t>(indices.values().size())) {}
    Indices indices;
    Draft draft;
    std::vector<std::pair<ggml_tensor*, std::vector<ggml_fp16_t>>> masks;
    std::vector<float> embeddings;
    ggml_tensor* embedded = nullptr;
  };
  // Who sees whom in a tile; masks are by bin.
  struct TileSight {
    SightShape shape;
    std::vector<std::vector<ggml_fp16_t>> masks;
  };

  void take_step(const Abort& abort);
  void start_tiles();
  void run_tile(const Abort& abort);
  void read_outputs(const Abort& abort);
  void compute(Part& part, const Abort& abort);

  std::vector<int32_t> positions(const Tile& tile) const;
  TileSight plan_sight(const Tile& tile, Indices& indices) const;
  GraphBlocks::Sight sight(Part& part, TileSight plan) const;
  GraphBlocks::Sight sight_of_strip(Draft& draft, int32_t first, int32_t n) const;
  // Whether a row sees just the rows before it.
  bool is_one_text() const { return net_.is_causal && trie_.runs.size() == 1; }
  bool picks_rows() const { return i_block_ + 1 == net_.blocks.size() && !outputs_.rows().empty(); }
  int32_t n_sweep_rows() const;

  GraphForward& forward_;
  const Network& net_;
  const Trie trie_;
  Outputs outputs_;
  const bool are_queries_;
  const size_t n_adapters_;
  const int32_t tile_;

  ggml_context_ptr state_;
  ggml_backend_buffer_ptr state_buffer_;
  ggml_tensor *hidden_ = nullptr, *k_ = nullptr, *v_ = nullptr;
  ggml_tensor* strip_ = nullptr;  // of one long text: all its tiles' masks
  size_t i_block_ = 0;
  bool answers_ = false;  // the second sweep of a block whose answers need the keys of all rows
  int32_t first_ = 0;

  std::vector<float> rows_;  // the result
  bool finished_ = false;
  ForwardTimes times_;
};

}  // namespace qwen3_embed
