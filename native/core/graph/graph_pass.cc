#include "core/graph/graph_pass.h"

#include <algorithm>
#include <limits>
#include <new>

#include "core/machine/stopwatch.h"
#include "core/network/checks.h"
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

GraphPass::GraphPass(GraphForward& forward, const Pack& pack)
    : forward_(forward),
      net_(forward.network()),
      trie_(build_trie(pack.sequences, net_.is_causal)),
      outputs_(net_, trie_, pack.pooling),
      are_queries_(pack.are_queries),
      n_adapters_(net_.max_adapters()),
      tile_(forward.tile_rows(trie_.n_rows())) {
  net_.file->check_unchanged();
}

bool GraphPass::step(const Abort& abort) {
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

void GraphPass::take_step(const Abort& abort) {
  if (trie_.n_rows() <= tile_) {
    Draft draft = whole();
    return finish(draft, abort);
  }
  if (hidden_ == nullptr) return start_tiles();
  if (i_block_ == net_.blocks.size()) return read_outputs(abort);
  run_tile(abort);
}

Draft GraphPass::whole() {
  const GraphBlocks& blocks = forward_.blocks();
  Draft draft = this->draft(net_.blocks.size());
  ggml_context* context = draft.context.get();
  const Tile all{0, trie_.n_rows(), nullptr};
  ggml_tensor* x = blocks.norm(draft, embedded(draft), forward_.weights().embedding_norm);
  ggml_tensor* place = positions(draft, all);
  // Of a single block that only some rows are read of, nobody would ask it.
  GraphBlocks::Sight who_sees_whom;
  if (net_.blocks.size() > 1 || outputs_.rows().empty()) who_sees_whom = sight(draft, all);
  for (i_block_ = 0; i_block_ < net_.blocks.size(); ++i_block_) {
    ggml_tensor* inputs = blocks.read(draft, i_block_, x);
    const GraphBlocks::KeysValues seen = blocks.keys_values(draft, i_block_, inputs, place);
    if (picks_rows()) {
      const Tile picked{0, static_cast<int32_t>(outputs_.rows().size()), &outputs_.rows()};
      ggml_tensor* rows = draft.input(outputs_.rows());
      x = ggml_get_rows(context, x, rows);
      inputs = ggml_get_rows(context, inputs, rows);
      place = positions(draft, picked);
      who_sees_whom = sight(draft, picked);
    }
    x = blocks.answer(draft, i_block_, x, inputs, place, seen, who_sees_whom);
  }
  put_last_norm(draft, x);
  return draft;
}

void GraphPass::start_tiles() {
  state_.reset(ggml_init({ggml_tensor_overhead() * 4, nullptr, true}));
  if (!state_) throw std::bad_alloc();
  const ggml_type type = forward_.flash() ? GGML_TYPE_F16 : GGML_TYPE_F32;
  const int32_t n_rows = trie_.n_rows();
  ggml_tensor* hidden = ggml_new_tensor_2d(state_.get(), GGML_TYPE_F32, net_.n_embd, n_rows);
  k_ = ggml_new_tensor_2d(state_.get(), type, net_.n_kv(), n_rows);
  v_ = ggml_new_tensor_2d(state_.get(), type, net_.n_kv(), n_rows);
  if (is_one_text())
    strip_ = ggml_new_tensor_2d(state_.get(), GGML_TYPE_F16, n_rows + tile_, tile_);
  state_buffer_.reset(ggml_backend_alloc_ctx_tensors(state_.get(), forward_.backend()));
  if (!state_buffer_) throw std::bad_alloc();
  if (strip_ != nullptr) {
    const std::vector<ggml_fp16_t> strip = causal_strip(tile_, n_rows);
    ggml_backend_tensor_set(strip_, strip.data(), 0, ggml_nbytes(strip_));
  }
  hidden_ = hidden;
  Draft draft = this->draft(1);
  put(draft, forward_.blocks().norm(draft, embedded(draft), forward_.weights().embedding_norm),
      rows_of(draft, hidden_, 0, n_rows));
  forward_.compute(draft, {});
}

int32_t GraphPass::n_sweep_rows() const {
  return answers_ && picks_rows() ? static_cast<int32_t>(outputs_.rows().size()) : trie_.n_rows();
}

// As the CPU does it: where rows see only rows before them and all are wanted, one sweep of tiles
// in row order; else keys and values of all rows first, then the answers. The rows that are read
// replace the first rows of the hidden state at the end: row `first + j` is read from a row at or
// after it, so that what is still to be read is not overwritten.
void GraphPass::run_tile(const Abort& abort) {
  const GraphBlocks& blocks = forward_.blocks();
  const bool one_sweep = net_.is_causal && !picks_rows();
  const bool picked = answers_ && picks_rows();
  const int32_t n = std::min(tile_, n_sweep_rows() - first_);
  const Tile tile{first_, n, picked ? &outputs_.rows() : nullptr};
  Draft draft = this->draft(1);
  ggml_tensor* x = rows_of(draft, hidden_, first_, n);
  if (picked) {
    x = ggml_get_rows(draft.context.get(), hidden_,
                      draft.input(std::vector<int32_t>(outputs_.rows().begin() + first_,
                                                       outputs_.rows().begin() + first_ + n)));
  }
  ggml_tensor* inputs = blocks.read(draft, i_block_, x);
  ggml_tensor* place = positions(draft, tile);
  if (!answers_) {
    const GraphBlocks::KeysValues own = blocks.keys_values(draft, i_block_, inputs, place);
    put(draft, own.k, rows_of(draft, k_, first_, n));
    put(draft, own.v, rows_of(draft, v_, first_, n));
  }
  if (answers_ || one_sweep) {
    const int32_t n_seen = one_sweep ? first_ + n : trie_.n_rows();
    put(draft,
        blocks.answer(
            draft, i_block_, x, inputs, place,
            {rows_of(draft, k_, 0, n_seen), rows_of(draft, v_, 0, n_seen)},
            strip_ != nullptr && one_sweep ? sight_of_strip(draft, first_, n) : sight(draft, tile)),
        rows_of(draft, hidden_, first_, n));
  }
  forward_.compute(draft, abort);

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

void GraphPass::read_outputs(const Abort& abort) {
  const auto n =
      outputs_.rows().empty() ? trie_.n_rows() : static_cast<int32_t>(outputs_.rows().size());
  Draft draft = this->draft(1);
  put_last_norm(draft, rows_of(draft, hidden_, 0, n));
  finish(draft, abort);
}

void GraphPass::put_last_norm(Draft& draft, ggml_tensor* x) const {
  const GraphNorm& last = forward_.weights().output_norm;
  x = last.weight != nullptr ? forward_.blocks().norm(draft, x, last)
                             : ggml_cont(draft.context.get(), x);
  ggml_set_output(x);
  ggml_build_forward_expand(draft.graph, x);
  draft.output = x;
}

void GraphPass::finish(Draft& draft, const Abort& abort) {
  forward_.compute(draft, abort);
  rows_.resize(static_cast<size_t>(ggml_nelements(draft.output)));
  ggml_backend_tensor_get(draft.output, rows_.data(), 0, ggml_nbytes(draft.output));
  finished_ = true;
}

RowView GraphPass::row(size_t i_sequence) {
  return outputs_.read(trie_, i_sequence, rows_.data(), forward_.head());
}

// ---- inputs ----

// (n_embd, n_rows)
ggml_tensor* GraphPass::embedded(Draft& draft) const {
  const GraphWeights& weights = forward_.weights();
  if (!weights.embeds()) return draft.input(embeddings_from_file(), net_.n_embd, trie_.n_rows());
  ggml_context* context = draft.context.get();
  ggml_tensor* x =
      ggml_get_rows(context, weights.token_embd, draft.input({trie_.ids.begin(), trie_.ids.end()}));
  if (weights.token_type != nullptr) x = ggml_add(context, x, weights.token_type);
  if (weights.position_embd == nullptr) return x;
  return ggml_add(context, x,
                  ggml_get_rows(context, weights.position_embd,
                                positions(draft, {0, trie_.n_rows(), nullptr})));
}

std::vector<float> GraphPass::embeddings_from_file() const {
  const auto width = static_cast<size_t>(net_.n_embd);
  std::vector<float> rows(static_cast<size_t>(trie_.n_rows()) * width), extra(width);
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < trie_.ids.size(); ++i) {
    float* x = rows.data() + i * width;
    read_row(*net_.file, net_.token_embd, trie_.ids[i], bytes, x);
    for (size_t k = 0; k < net_.token_type.size(); ++k) x[k] += net_.token_type[k];
    if (net_.position_embd.n_out == 0) continue;
    read_row(*net_.file, net_.position_embd, trie_.positions[i], bytes, extra.data());
    for (size_t k = 0; k < width; ++k) x[k] += extra[k];
  }
  net_.file->check_unchanged();
  return rows;
}

ggml_tensor* GraphPass::positions(Draft& draft, const Tile& tile) const {
  std::vector<int32_t> values(static_cast<size_t>(tile.n));
  for (int32_t i = 0; i < tile.n; ++i) {
    values[static_cast<size_t>(i)] = trie_.positions[static_cast<size_t>(tile.row(i))];
  }
  return draft.input(std::move(values));
}

// Who the rows of a tile see, of all rows up to theirs.
GraphBlocks::Sight GraphPass::sight(Draft& draft, const Tile& tile) const {
  Streams streams = make_streams(trie_, tile, forward_.stream_rules());
  GraphBlocks::Sight sight{};
  const bool is_plain = streams.bins.size() == 1 && streams.bins[0].is_plain(tile.n);
  for (StreamBin& bin : streams.bins) {
    GraphBlocks::Bin to{bin.n_streams, bin.n_q, bin.n_keys, nullptr, nullptr, nullptr};
    if (!bin.mask.empty())
      to.mask = draft.input(std::move(bin.mask), bin.n_keys, bin.n_q, bin.n_masks);
    if (!is_plain) {
      to.queries = draft.input(std::move(bin.queries));
      to.keys = draft.input(std::move(bin.keys));
    }
    sight.bins.push_back(to);
  }
  if (!is_plain) sight.answers = draft.input(std::move(streams.answers));
  return sight;
}

GraphBlocks::Sight GraphPass::sight_of_strip(Draft& draft, int32_t first, int32_t n) const {
  ggml_context* context = draft.context.get();
  const int64_t n_seen = first + n;
  ggml_tensor* part =
      ggml_view_2d(context, strip_, n_seen, n, strip_->nb[1],
                   static_cast<size_t>(trie_.n_rows() - first) * sizeof(ggml_fp16_t));
  return {{{1, n, n_seen, nullptr, nullptr, ggml_cont(context, part)}}, nullptr};
}

}  // namespace qwen3_embed
