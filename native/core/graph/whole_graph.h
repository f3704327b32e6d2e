// All of a pack as one graph. What it is made of follows from the shape of the pack alone, so that
// packs of one shape run the same graph, one after another, with other indices.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/graph/draft.h"
#include "core/graph/graph_block.h"
#include "core/graph/mask_table.h"
#include "core/graph/sight.h"
#include "core/network/outputs.h"
#include "core/network/trie.h"

namespace qwen3_embed {

struct PackShape {
  bool are_queries = false;
  int32_t n_rows = 0;
  Slice ids, places;
  bool sees = false;  // whether blocks before the last, or all, answer every row
  SightShape sight;
  int32_t n_picked = 0;  // rows that the last block answers; 0: all
  Slice picked, picked_places;
  SightShape picked_sight;
  int32_t n_indices = 0;

  // Equal for packs that the same graph runs.
  std::vector<int32_t> key() const;
  int32_t most_keys() const;
};

struct PackPlan {
  PackShape shape;
  std::vector<int32_t> indices;
};

// `picked`: the rows that are read, or none for all.
PackPlan plan_pack(const Trie& trie, const std::vector<int32_t>& picked, size_t n_blocks,
                   bool are_queries, const StreamRules& rules);

class WholeGraph {
 public:
  // `masks` for as many keys as the shape has.
  WholeGraph(const Network& network, const GraphWeights& weights, const GraphBlocks& blocks,
             const PackShape& shape, std::shared_ptr<const MaskTable> masks);

  ggml_cgraph* graph() const { return draft_.graph; }
  ggml_tensor* indices() const { return draft_.indices; }
  ggml_tensor* embeddings() const { return embeddings_; }  // (n_embd, n_rows), or null
  ggml_tensor* output() const { return draft_.output; }
  const MaskTable* masks() const { return masks_.get(); }
  // Memory of its own, so that it can be kept. Throws std::bad_alloc.
  void allocate(Device& device);
  bool is_allocated() const { return allocator_ != nullptr; }
  // Of its own, on the device and beside it.
  size_t n_bytes() const;

 private:
  void build(const Network& network, const GraphWeights& weights, const GraphBlocks& blocks,
             const PackShape& shape);

  Draft draft_;
  std::shared_ptr<const MaskTable> masks_;
  ggml_gallocr_ptr allocator_;
  ggml_tensor* embeddings_ = nullptr;
};

// Token embeddings with what is added to them. (n_embd, n)
ggml_tensor* look_up(Draft& draft, const GraphWeights& weights, ggml_tensor* ids,
                     ggml_tensor* places);
void put_last_norm(Draft& draft, const GraphBlocks& blocks, const GraphNorm& norm, ggml_tensor* x);

}  // namespace qwen3_embed
