// One pack on its way through the network on a device: one graph for a pack that is one tile; a
// graph for each block and tile of a longer one, with the keys and values of one block.
#pragma once

#include <vector>

#include "core/graph/graph_forward.h"

namespace qwen3_embed {

class GraphPass final : public Pass {
 public:
  GraphPass(GraphForward& forward, const Pack& pack);

  bool step(const Abort& abort) override;
  RowView row(size_t i_sequence) override;

  // All of it as one graph.
  Draft whole();

 private:
  void take_step(const Abort& abort);
  void start_tiles();
  void run_tile(const Abort& abort);
  void read_outputs(const Abort& abort);
  void put_last_norm(Draft& draft, ggml_tensor* x) const;
  void finish(Draft& draft, const Abort& abort);

  Draft draft(size_t n_blocks) const { return {n_blocks, n_adapters_, are_queries_}; }
  ggml_tensor* embedded(Draft& draft) const;
  std::vector<float> embeddings_from_file() const;
  ggml_tensor* positions(Draft& draft, const Tile& tile) const;
  GraphBlocks::Sight sight(Draft& draft, const Tile& tile) const;
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

  // Of a pack in tiles.
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
