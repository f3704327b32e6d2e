#include "core/graph/tiled_pass.h"

#include <algorithm>
#include <new>

#include "core/graph/whole_graph.h"
#include "core/machine/stopwatch.h"
#include "core/network/checks.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

ggml_tensor* rows_of(Draft& draft, ggml_tensor* tensor, int64_t first, int64_t n) {
  return ggml_view_2d(draft.context.get(), tensor, tensor->ne[0], n, tensor->nb[1],
                      static_cast<size_t>(first) * tensor->nb[1]);
}

void put(Draft& draft, ggml_tensor* from, ggml_tensor* to) {
  ggml_build_forward_expand(draft.graph, ggml_cpy(draft.context.get(), from, to));
}

}  // namespace

TiledPass::TiledPass(GraphForward& forward, Trie trie, const Pack& pack, int32_t tile)
    : forward_(forward),
      net_(forward.network()),
      trie_(std::move(trie)),
      outputs_(net_, trie_, pack.pooling),
      are_queries_(pack.are_queries),
      n_adapters_(net_.max_adapters()),
      tile_(tile) {
  net_.file->check_unchanged();
}

bool TiledPass::step(const Abort& abort) {
  if (finished_) return false;
  Stopwatch watch;
  try {
    take_step(abort);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(trie_.n_tokens);
  }
  // Stages of a graph on a device cannot be told apart from here.
  times_.products_ms += watch.lap_ms();
  if (!finished_) return true;
  times_.n_packs = 1;
  times_.n_tokens = trie_.n_tokens;
  times_.n_tokens_run = trie_.n_rows();
  forward_.add(times_);
  trace_pass(times_);
  return false;
}

void TiledPass::take_step(const Abort& abort) {
  if (hidden_ == nullptr) return start_tiles();
  if (i_block_ == net_.blocks.size()) return read_outputs(abort);
  run_tile(abort);
}

void TiledPass::start_tiles() {
  state_.reset(ggml_init({ggml_tensor_overhead() * 4, nullptr, true}));
  if (!state_) throw std::bad_alloc();
  const ggml_type type = forward_.flash() ? GGML_TYPE_F16 : GGML_TYPE_F32;
  const int32_t n_rows = trie_.n_rows();
  ggml_tensor* hidden = ggml_new_tensor_2d(state_.get(), GGML_TYPE_F32, net_.n_embd, n_rows);
  k_ = ggml_new_tensor_2d(state_.get(), type, net_.n_kv(), n_rows);
  v_ = ggml_new_tensor_2d(state_.get(), type, net_.n_kv(), n_rows);
  if (is_one_text())
    strip_ = ggml_new_tensor_2d(state_.get(), GGML_TYPE_F16, n_rows + tile_, tile_);
  state_buffer_.reset(ggml_backend_alloc_ctx_tensors(state_.get(), forward_.device().backend()));
  if (!state_buffer_) throw std::bad_alloc();
  if (strip_ != nullptr) {
    const std::vector<ggml_fp16_t> strip = causal_strip(tile_, n_rows);
    forward_.device().upload(strip_, strip.data(), ggml_nbytes(strip_));
  }
  hidden_ = hidden;
  const GraphWeights& weights = forward_.weights();
  Indices indices;
  const Slice ids = indices.add({trie_.ids.begin(), trie_.ids.end()});
  const Slice places = indices.add(trie_.positions);
  Part part(*this, std::move(indices));
  Draft& draft = part.draft;
  ggml_tensor* x;
  if (weights.embeds()) {
    x = look_up(draft, weights, draft.part(ids), draft.part(places));
  } else {
    part.embeddings = embeddings_from_file(net_, trie_);
    x = part.embedded = draft.input(GGML_TYPE_F32, net_.n_embd, n_rows);
  }
  put(draft, forward_.blocks().norm(draft, x, weights.embedding_norm),
      rows_of(draft, hidden_, 0, n_rows));
  compute(part, {});
}

int32_t TiledPass::n_sweep_rows() const {
  return answers_ && picks_rows() ? static_cast<int32_t>(outputs_.rows().size()) : trie_.n_rows();
}

// As the CPU does it: where rows see only rows before them and all are wanted, one sweep of tiles
// in row order; else keys and values of all rows first, then the answers. The rows that are read
// replace the first rows of the hidden state at the end: row `first + j` is read from a row at or
// after it, so that what is still to be read is not overwritten.
void TiledPass::run_tile(const Abort& abort) {
  const GraphBlocks& blocks = forward_.blocks();
  const bool one_sweep = net_.is_causal && !picks_rows();
  const bool picked = answers_ && picks_rows();
  const int32_t n = std::min(tile_, n_sweep_rows() - first_);
  const Tile tile{first_, n, picked ? &outputs_.rows() : nullptr};
  const bool sees = answers_ || one_sweep, by_strip = strip_ != nullptr && one_sweep;
  Indices indices;
  const Slice places = indices.add(positions(tile));
  Slice rows;
  if (picked) {
    rows = indices.add({outputs_.rows().begin() + first_, outputs_.rows().begin() + first_ + n});
  }
  TileSight plan;
  if (sees && !by_strip) plan = plan_sight(tile, indices);

  Part part(*this, std::move(indices));
  Draft& draft = part.draft;
  ggml_tensor* x = picked ? ggml_get_rows(draft.context.get(), hidden_, draft.part(rows))
                          : rows_of(draft, hidden_, first_, n);
  ggml_tensor* inputs = blocks.read(draft, i_block_, x);
  ggml_tensor* place = draft.part(places);
  if (!answers_) {
    const GraphBlocks::KeysValues own = blocks.keys_values(draft, i_block_, inputs, place);
    put(draft, own.k, rows_of(draft, k_, first_, n));
    put(draft, own.v, rows_of(draft, v_, first_, n));
  }
  if (sees) {
    const int32_t n_seen = one_sweep ? first_ + n : trie_.n_rows();
    put(draft,
        blocks.answer(draft, i_block_, x, inputs, place,
                      {rows_of(draft, k_, 0, n_seen), rows_of(draft, v_, 0, n_seen)},
                      by_strip ? sight_of_strip(draft, first_, n) : sight(part, std::move(plan))),
        rows_of(draft, hidden_, first_, n));
  }
  compute(part, abort);

  first_ += tile_;
  if (first_ < n_sweep_rows()) return;
  first_ = 0;
  if (!one_sweep && !answers_) {
    answers_ = true;
    return;
  }
  answers_ = false;
  ++i_block_;
}

void TiledPass::read_outputs(const Abort& abort) {
  const auto n =
      outputs_.rows().empty() ? trie_.n_rows() : static_cast<int32_t>(outputs_.rows().size());
  Part part(*this, {});
  put_last_norm(part.draft, forward_.blocks(), forward_.weights().output_norm,
                rows_of(part.draft, hidden_, 0, n));
  compute(part, abort);
  rows_.resize(static_cast<size_t>(ggml_nelements(part.draft.output)));
  forward_.device().download(part.draft.output, rows_.data(), rows_.size() * sizeof(float));
  finished_ = true;
}

void TiledPass::compute(Part& part, const Abort& abort) {
  Device& device = forward_.device();
  forward_.prepare(part.draft.graph);
  // An input that no step reads, such as the first mask of a model with one block, has no memory.
  const auto upload = [&](ggml_tensor* to, const auto& values) {
    if (to != nullptr && to->buffer != nullptr)
      device.upload(to, values.data(), values.size() * sizeof(values[0]));
  };
  upload(part.draft.indices, part.indices.values());
  upload(part.embedded, part.embeddings);
  for (const auto& [mask, values] : part.masks) upload(mask, values);
  device.start(part.draft.graph, abort);
  device.wait();
}

RowView TiledPass::row(size_t i_sequence) {
  return outputs_.read(trie_, i_sequence, rows_.data(), forward_.head());
}

// ---- inputs ----

std::vector<int32_t> TiledPass::positions(const Tile& tile) const {
  std::vector<int32_t> values(static_cast<size_t>(tile.n));
  for (int32_t i = 0; i < tile.n; ++i) {
    values[static_cast<size_t>(i)] = trie_.positions[static_cast<size_t>(tile.row(i))];
  }
  return values;
}

// Who the rows of a tile see, of all rows up to theirs. Masks go up as they are: a table for texts
// of any length would have no room.
TiledPass::TileSight TiledPass::plan_sight(const Tile& tile, Indices& indices) const {
  Streams streams = make_streams(trie_, tile, forward_.stream_rules(false));
  TileSight plan;
  for (StreamBin& bin : streams.bins) {
    plan.masks.push_back(mask_of(bin));
    bin.seen.clear();
  }
  plan.shape = make_sight(streams, tile.n, indices);
  return plan;
}

GraphBlocks::Sight TiledPass::sight(Part& part, TileSight plan) const {
  GraphBlocks::Sight sight = forward_.blocks().sight(part.draft, plan.shape, nullptr);
  for (size_t i = 0; i < sight.bins.size(); ++i) {
    GraphBlocks::Bin& bin = sight.bins[i];
    if (plan.masks[i].empty()) continue;
    const int64_t n_masks = static_cast<int64_t>(plan.masks[i].size()) / (bin.n_q * bin.n_keys);
    bin.mask = part.draft.input(GGML_TYPE_F16, bin.n_keys, bin.n_q, n_masks);
    part.masks.emplace_back(bin.mask, std::move(plan.masks[i]));
  }
  return sight;
}

GraphBlocks::Sight TiledPass::sight_of_strip(Draft& draft, int32_t first, int32_t n) const {
  ggml_context* context = draft.context.get();
  const int64_t n_seen = first + n;
  ggml_tensor* part =
      ggml_view_2d(context, strip_, n_seen, n, strip_->nb[1],
                   static_cast<size_t>(trie_.n_rows() - first) * sizeof(ggml_fp16_t));
  return {{{1, n, n_seen, nullptr, nullptr, ggml_cont(context, part)}}, nullptr};
}

}  // namespace qwen3_embed
