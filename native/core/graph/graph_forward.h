// The forward pass as graphs of ggml ops, for every device that is not our own CPU path. One graph
// for a pack that is one tile; a graph for each layer and tile of a longer one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/file/weights.h"
#include "core/packed/outputs.h"
#include "core/packed/packed.h"
#include "core/packed/trie.h"
#include "ggml-cpp.h"

namespace qwen3_embed {

class PackedGraph : public Forward {
 public:
  PackedGraph(const Gguf& file, const Facts& facts, const PackedOptions& options);

  const Limits& limits() const override { return limits_; }
  void run(const Pack& pack, const Abort& abort, const RowSink& sink, const Pause&) override;
  ForwardTimes times() const override { return times_; }

 private:
  struct Layer {
    ggml_tensor *attn_norm, *wq, *wk, *wv, *q_norm, *k_norm, *wo, *ffn_norm, *gate, *up, *down;
  };
  // Rows that ask, in the order of a tile. `listed` null: rows [first, first + n).
  struct Tile {
    int32_t first;
    int32_t n;
    const std::vector<int32_t>* listed;
    int32_t row(int32_t i) const {
      return listed ? (*listed)[static_cast<size_t>(first + i)] : first + i;
    }
  };
  // A graph being built, and what must be written into its inputs once they have memory.
  struct Draft;

  void load(const PackedOptions& options);
  void set_up_backend(const PackedOptions& options);
  void check_types() const;
  void reserve(int32_t n_rows);

  std::vector<float> compute(const Trie& trie, const std::vector<int32_t>& outputs);
  std::vector<float> compute_whole(const Trie& trie, const std::vector<int32_t>& outputs);
  std::vector<float> compute_in_tiles(const Trie& trie, const std::vector<int32_t>& outputs);
  void finish(Draft& draft);

  struct KeysValues {
    ggml_tensor *k, *v;  // (n_kv, n_rows)
  };
  ggml_tensor* norm(Draft& draft, ggml_tensor* x, ggml_tensor* weight) const;
  ggml_tensor* heads(Draft& draft, ggml_tensor* x, int n_heads, ggml_tensor* weight,
                     ggml_tensor* positions) const;
  KeysValues keys_values(Draft& draft, const Layer& layer, ggml_tensor* normed,
                         ggml_tensor* positions) const;
  // The layer for the rows of x. (n_embd, n)
  ggml_tensor* answer(Draft& draft, const Layer& layer, ggml_tensor* x, ggml_tensor* normed,
                      ggml_tensor* positions, const KeysValues& seen, ggml_tensor* mask) const;
  ggml_tensor* positions(Draft& draft, const Trie& trie, const Tile& tile) const;
  ggml_tensor* mask(Draft& draft, const Trie& trie, const Tile& tile, int32_t n_seen) const;
  int32_t tile_rows(int32_t n_rows) const;

  const Facts facts_;
  const int64_t n_embd_, n_kv_;
  const int tile_;
  Limits limits_;
  Weights weights_;  // token_embd is read from here; the rest lives on the device
  RankHead head_;
  ggml_backend_ptr backend_;
  ggml_context_ptr context_;
  ggml_backend_buffer_ptr buffer_;
  std::vector<Layer> layers_;
  ggml_tensor* output_norm_ = nullptr;

  // Of a pack in tiles, for n_state_rows_ rows.
  int32_t n_state_rows_ = 0;
  ggml_context_ptr state_context_;
  ggml_backend_buffer_ptr state_buffer_;
  ggml_tensor *hidden_ = nullptr, *k_ = nullptr, *v_ = nullptr;

  ggml_gallocr_ptr allocator_;
  const Abort* abort_ = nullptr;
  ForwardTimes times_;
};

}  // namespace qwen3_embed
