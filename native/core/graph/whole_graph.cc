#include "core/graph/whole_graph.h"

#include <algorithm>
#include <new>

#include "core/graph/ladder.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"

namespace qwen3_embed {
namespace {

std::vector<int32_t> positions_of(const Trie& trie, const std::vector<int32_t>& rows) {
  std::vector<int32_t> positions;
  positions.reserve(rows.size());
  for (const int32_t row : rows) positions.push_back(trie.positions[static_cast<size_t>(row)]);
  return positions;
}

// The last again, up to the next size.
std::vector<int32_t> filled(std::vector<int32_t> values, bool pads) {
  const int32_t last = values.back();
  if (pads)
    values.resize(static_cast<size_t>(filled_rows(static_cast<int32_t>(values.size()))), last);
  return values;
}

}  // namespace

std::vector<int32_t> PackShape::key() const {
  std::vector<int32_t> key = {are_queries, n_rows, sees, n_picked};
  sight.add_to(key);
  picked_sight.add_to(key);
  return key;
}

int32_t PackShape::most_keys() const {
  return std::max(sight.most_keys(), picked_sight.most_keys());
}

PackPlan plan_pack(const Trie& trie, const std::vector<int32_t>& picked, size_t n_blocks,
                   bool are_queries, const StreamRules& rules) {
  PackShape shape;
  Indices indices;
  shape.are_queries = are_queries;
  const std::vector<int32_t> ids = filled({trie.ids.begin(), trie.ids.end()}, rules.pads);
  shape.n_rows = static_cast<int32_t>(ids.size());
  shape.ids = indices.add(ids);
  shape.places = indices.add(filled(trie.positions, rules.pads));
  // Of a single block that only some rows are read of, nobody would ask it.
  shape.sees = n_blocks > 1 || picked.empty();
  if (shape.sees) {
    const Tile all{0, trie.n_rows(), nullptr};
    shape.sight = make_sight(make_streams(trie, all, rules), shape.n_rows, indices);
  }
  if (!picked.empty()) {
    const std::vector<int32_t> rows = filled(picked, rules.pads);
    shape.n_picked = static_cast<int32_t>(rows.size());
    shape.picked = indices.add(rows);
    shape.picked_places = indices.add(positions_of(trie, rows));
    const Tile asked{0, static_cast<int32_t>(picked.size()), &picked};
    shape.picked_sight = make_sight(make_streams(trie, asked, rules), shape.n_picked, indices);
  }
  shape.n_indices = static_cast<int32_t>(indices.values().size());
  return {std::move(shape), indices.values()};
}

WholeGraph::WholeGraph(const Network& network, const GraphWeights& weights,
                       const GraphBlocks& blocks, const PackShape& shape,
                       std::shared_ptr<const MaskTable> masks)
    : draft_(network.blocks.size(), network.max_adapters(), shape.are_queries, shape.n_indices),
      masks_(std::move(masks)) {
  build(network, weights, blocks, shape);
}

void WholeGraph::build(const Network& network, const GraphWeights& weights,
                       const GraphBlocks& blocks, const PackShape& shape) {
  ggml_context* context = draft_.context.get();
  ggml_tensor* place = draft_.part(shape.places);
  ggml_tensor* x;
  if (weights.embeds()) {
    x = look_up(draft_, weights, draft_.part(shape.ids), place);
  } else {
    x = embeddings_ = draft_.input(GGML_TYPE_F32, network.n_embd, shape.n_rows);
  }
  x = blocks.norm(draft_, x, weights.embedding_norm);
  GraphBlocks::Sight sight;
  if (shape.sees) sight = blocks.sight(draft_, shape.sight, masks_->rows());
  for (size_t i = 0; i < network.blocks.size(); ++i) {
    ggml_tensor* inputs = blocks.read(draft_, i, x);
    const GraphBlocks::KeysValues seen = blocks.keys_values(draft_, i, inputs, place);
    if (i + 1 == network.blocks.size() && shape.n_picked > 0) {
      ggml_tensor* rows = draft_.part(shape.picked);
      x = ggml_get_rows(context, x, rows);
      inputs = ggml_get_rows(context, inputs, rows);
      place = draft_.part(shape.picked_places);
      sight = blocks.sight(draft_, shape.picked_sight, masks_->rows());
    }
    x = blocks.answer(draft_, i, x, inputs, place, seen, sight);
  }
  put_last_norm(draft_, blocks, weights.output_norm, x);
}

void WholeGraph::allocate(Device& device) {
  allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(device.backend())));
  if (!allocator_) throw std::bad_alloc();
  device.allocate(allocator_.get(), draft_.graph);
}

size_t WholeGraph::n_bytes() const {
  return ggml_get_mem_size(draft_.context.get()) +
         (allocator_ ? ggml_gallocr_get_buffer_size(allocator_.get(), 0) : 0);
}

ggml_tensor* look_up(Draft& draft, const GraphWeights& weights, ggml_tensor* ids,
                     ggml_tensor* places) {
  ggml_context* context = draft.context.get();
  ggml_tensor* x = ggml_get_rows(context, weights.token_embd, ids);
  if (weights.token_type != nullptr) x = ggml_add(context, x, weights.token_type);
  if (weights.position_embd == nullptr) return x;
  return ggml_add(context, x, ggml_get_rows(context, weights.position_embd, places));
}

void put_last_norm(Draft& draft, const GraphBlocks& blocks, const GraphNorm& norm, ggml_tensor* x) {
  x = norm.weight != nullptr ? blocks.norm(draft, x, norm) : ggml_cont(draft.context.get(), x);
  ggml_set_output(x);
  ggml_build_forward_expand(draft.graph, x);
  draft.output = x;
}

}  // namespace qwen3_embed
