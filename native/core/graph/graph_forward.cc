#include "core/graph/graph_forward.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <new>

#include "core/machine/backends.h"
#include "core/packed/checks.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

// Scores of all heads of a tile are one tensor: no more values than this.
constexpr int64_t kMostScores = int64_t{1} << 26;
constexpr size_t kNodesPerLayer = 48;

std::vector<float> embeddings(const Weights& weights, const Trie& trie) {
  const WeightMatrix& table = weights.token_embd();
  std::vector<float> rows(static_cast<size_t>(trie.n_rows() * table.n_in));
  for (size_t i = 0; i < trie.ids.size(); ++i) {
    Weights::read_row(table, trie.ids[i], rows.data() + i * static_cast<size_t>(table.n_in));
  }
  return rows;
}

}  // namespace

struct PackedGraph::Draft {
  explicit Draft(size_t n_layers) {
    const size_t n_nodes = kNodesPerLayer * n_layers + 32;
    const size_t n_bytes =
        ggml_tensor_overhead() * n_nodes * 2 + ggml_graph_overhead_custom(n_nodes, false);
    context.reset(ggml_init({n_bytes, nullptr, true}));
    if (!context) throw std::bad_alloc();
    graph = ggml_new_graph_custom(context.get(), n_nodes, false);
  }

  ggml_tensor* input(ggml_type type, int64_t n0, int64_t n1) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context.get(), type, n0, n1);
    ggml_set_input(tensor);
    return tensor;
  }
  void fill(ggml_tensor* tensor, std::vector<float> values) {
    floats.emplace_back(tensor, std::move(values));
  }
  void fill(ggml_tensor* tensor, std::vector<int32_t> values) {
    integers.emplace_back(tensor, std::move(values));
  }

  ggml_context_ptr context;
  ggml_cgraph* graph = nullptr;
  std::vector<std::pair<ggml_tensor*, std::vector<float>>> floats;
  std::vector<std::pair<ggml_tensor*, std::vector<int32_t>>> integers;
};

void PackedGraph::run(const Pack& pack, const Abort& abort, const RowSink& sink, const Pause&) {
  const ForwardTimes before = times_;
  const auto start = std::chrono::steady_clock::now();
  abort_ = &abort;
  try {
    check_pack(pack, limits_, weights_.token_embd().n_out, head_);
    const Trie trie = build_trie(pack.sequences);
    const std::vector<int32_t> outputs = output_rows(trie, pack.pooling);
    const std::vector<float> rows = compute(trie, outputs);
    deliver_rows(trie, pack.pooling, outputs, rows.data(), facts_.n_embd, head_, sink);
    ++times_.n_packs;
    times_.n_tokens += trie.n_tokens;
    times_.n_tokens_run += trie.n_rows();
  } catch (const std::bad_alloc&) {
    abort_ = nullptr;
    throw out_of_memory(pack);
  } catch (...) {
    abort_ = nullptr;
    throw;
  }
  abort_ = nullptr;
  // Stages of a graph on a device cannot be told apart from here.
  times_.products_ms +=
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  trace_pack(before, times_);
}

// Memory for the scores bounds the rows of a tile.
int32_t PackedGraph::tile_rows(int32_t n_rows) const {
  const int64_t fit = kMostScores / (int64_t{facts_.n_head} * n_rows);
  return static_cast<int32_t>(std::clamp<int64_t>(fit, 1, tile_));
}

std::vector<float> PackedGraph::compute(const Trie& trie, const std::vector<int32_t>& outputs) {
  return trie.n_rows() <= tile_rows(trie.n_rows()) ? compute_whole(trie, outputs)
                                                   : compute_in_tiles(trie, outputs);
}

std::vector<float> PackedGraph::compute_whole(const Trie& trie,
                                              const std::vector<int32_t>& outputs) {
  Draft draft(layers_.size());
  ggml_context* context = draft.context.get();
  const Tile all{0, trie.n_rows(), nullptr};
  ggml_tensor* x = draft.input(GGML_TYPE_F32, n_embd_, trie.n_rows());
  draft.fill(x, embeddings(weights_, trie));
  ggml_tensor* place = positions(draft, trie, all);
  ggml_tensor* sight = mask(draft, trie, all, trie.n_rows());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    ggml_tensor* normed = norm(draft, x, layer.attn_norm);
    const KeysValues seen = keys_values(draft, layer, normed, place);
    if (i + 1 == layers_.size() && !outputs.empty()) {
      const Tile read{0, static_cast<int32_t>(outputs.size()), &outputs};
      ggml_tensor* rows = draft.input(GGML_TYPE_I32, read.n, 1);
      draft.fill(rows, outputs);
      x = ggml_get_rows(context, x, rows);
      normed = ggml_get_rows(context, normed, rows);
      place = positions(draft, trie, read);
      sight = mask(draft, trie, read, trie.n_rows());
    }
    x = answer(draft, layer, x, normed, place, seen, sight);
  }
  x = norm(draft, x, output_norm_);
  ggml_set_output(x);
  ggml_build_forward_expand(draft.graph, x);
  finish(draft);
  std::vector<float> rows(static_cast<size_t>(ggml_nelements(x)));
  ggml_backend_tensor_get(x, rows.data(), 0, ggml_nbytes(x));
  return rows;
}

// As PackedCpu does: layer by layer, tile by tile in row order, with the keys and values of one
// layer. The rows that are read replace the first rows of the hidden state at the end.
std::vector<float> PackedGraph::compute_in_tiles(const Trie& trie,
                                                 const std::vector<int32_t>& outputs) {
  reserve(trie.n_rows());
  const std::vector<float> embedded = embeddings(weights_, trie);
  ggml_backend_tensor_set(hidden_, embedded.data(), 0, embedded.size() * sizeof(float));
  const int32_t step = tile_rows(trie.n_rows());
  auto rows_of = [](Draft& draft, ggml_tensor* tensor, int64_t first, int64_t n) {
    return ggml_view_2d(draft.context.get(), tensor, tensor->ne[0], n, tensor->nb[1],
                        static_cast<size_t>(first) * tensor->nb[1]);
  };
  auto put = [](Draft& draft, ggml_tensor* from, ggml_tensor* to) {
    ggml_build_forward_expand(draft.graph, ggml_cpy(draft.context.get(), from, to));
  };
  const auto n_outputs = outputs.empty() ? trie.n_rows() : static_cast<int32_t>(outputs.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const bool picks = i + 1 == layers_.size() && !outputs.empty();
    for (int32_t first = 0; first < trie.n_rows(); first += step) {
      const Tile tile{first, std::min(step, trie.n_rows() - first), nullptr};
      Draft draft(1);
      ggml_tensor* x = rows_of(draft, hidden_, first, tile.n);
      ggml_tensor* normed = norm(draft, x, layer.attn_norm);
      ggml_tensor* place = positions(draft, trie, tile);
      const KeysValues own = keys_values(draft, layer, normed, place);
      put(draft, own.k, rows_of(draft, k_, first, tile.n));
      put(draft, own.v, rows_of(draft, v_, first, tile.n));
      if (!picks) {
        const int32_t n_seen = first + tile.n;
        const KeysValues seen{rows_of(draft, k_, 0, n_seen), rows_of(draft, v_, 0, n_seen)};
        put(draft, answer(draft, layer, x, normed, place, seen, mask(draft, trie, tile, n_seen)),
            x);
      }
      finish(draft);
    }
    // Row `first + j` is read from a row at or after it, so that what is still to be read is not
    // overwritten.
    for (int32_t first = 0; picks && first < n_outputs; first += step) {
      const Tile tile{first, std::min(step, n_outputs - first), &outputs};
      Draft draft(1);
      ggml_tensor* rows = draft.input(GGML_TYPE_I32, tile.n, 1);
      draft.fill(rows,
                 std::vector<int32_t>(outputs.begin() + first, outputs.begin() + first + tile.n));
      ggml_tensor* x = ggml_get_rows(draft.context.get(), hidden_, rows);
      ggml_tensor* normed = norm(draft, x, layer.attn_norm);
      put(draft,
          answer(draft, layer, x, normed, positions(draft, trie, tile),
                 {rows_of(draft, k_, 0, trie.n_rows()), rows_of(draft, v_, 0, trie.n_rows())},
                 mask(draft, trie, tile, trie.n_rows())),
          rows_of(draft, hidden_, first, tile.n));
      finish(draft);
    }
  }
  Draft draft(1);
  ggml_tensor* x = norm(draft, rows_of(draft, hidden_, 0, n_outputs), output_norm_);
  ggml_set_output(x);
  ggml_build_forward_expand(draft.graph, x);
  finish(draft);
  std::vector<float> rows(static_cast<size_t>(ggml_nelements(x)));
  ggml_backend_tensor_get(x, rows.data(), 0, ggml_nbytes(x));
  return rows;
}

void PackedGraph::finish(Draft& draft) {
  if (abort_ && *abort_ && (*abort_)()) throw Failure{Code::aborted, "The pass was aborted.", {}};
  if (!ggml_gallocr_alloc_graph(allocator_.get(), draft.graph)) throw std::bad_alloc();
  // An input that no step reads, such as the first mask of a model with one layer, has no memory.
  for (const auto& [tensor, values] : draft.floats) {
    if (tensor->buffer == nullptr) continue;
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
  }
  for (const auto& [tensor, values] : draft.integers) {
    if (tensor->buffer == nullptr) continue;
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(int32_t));
  }
  switch (const ggml_status status = ggml_backend_graph_compute(backend_.get(), draft.graph)) {
    case GGML_STATUS_SUCCESS:
      return;
    case GGML_STATUS_ABORTED:
      throw Failure{Code::aborted, "The pass was aborted.", {}};
    case GGML_STATUS_ALLOC_FAILED:
      throw std::bad_alloc();
    default:
      throw Failure{Code::compute,
                    limits_.device + " failed with status " + std::to_string(status) + ": " +
                        take_llama_log() + ". Load the model with gpu: false.",
                    {{"status", static_cast<int64_t>(status)}}};
  }
}

// ---- the ops ----

ggml_tensor* PackedGraph::norm(Draft& draft, ggml_tensor* x, ggml_tensor* weight) const {
  ggml_context* context = draft.context.get();
  return ggml_mul(context, ggml_rms_norm(context, x, static_cast<float>(facts_.rms_eps)), weight);
}

// (n_heads * head_dim, n) -> normed per head and rotated. (head_dim, n_heads, n)
ggml_tensor* PackedGraph::heads(Draft& draft, ggml_tensor* x, int n_heads, ggml_tensor* weight,
                                ggml_tensor* positions) const {
  ggml_context* context = draft.context.get();
  x = norm(draft, ggml_reshape_3d(context, x, facts_.head_dim, n_heads, x->ne[1]), weight);
  return ggml_rope_ext(context, x, positions, nullptr, facts_.head_dim, GGML_ROPE_TYPE_NEOX, 0,
                       static_cast<float>(facts_.rope_theta), 1, 0, 1, 32, 1);
}

PackedGraph::KeysValues PackedGraph::keys_values(Draft& draft, const Layer& layer,
                                                 ggml_tensor* normed,
                                                 ggml_tensor* positions) const {
  ggml_context* context = draft.context.get();
  ggml_tensor* k = heads(draft, ggml_mul_mat(context, layer.wk, normed), facts_.n_head_kv,
                         layer.k_norm, positions);
  return {ggml_reshape_2d(context, k, n_kv_, normed->ne[1]),
          ggml_mul_mat(context, layer.wv, normed)};
}

ggml_tensor* PackedGraph::answer(Draft& draft, const Layer& layer, ggml_tensor* x,
                                 ggml_tensor* normed, ggml_tensor* positions,
                                 const KeysValues& seen, ggml_tensor* mask) const {
  ggml_context* context = draft.context.get();
  const int64_t dim = facts_.head_dim, n = x->ne[1], n_seen = seen.k->ne[1];
  auto by_head = [&](ggml_tensor* rows) {  // (n_kv, n_seen) -> (head_dim, n_seen, n_head_kv)
    return ggml_permute(context,
                        ggml_view_3d(context, rows, dim, facts_.n_head_kv, n_seen,
                                     static_cast<size_t>(dim) * sizeof(float), rows->nb[1], 0),
                        0, 2, 1, 3);
  };
  ggml_tensor* q =
      heads(draft, ggml_mul_mat(context, layer.wq, normed), facts_.n_head, layer.q_norm, positions);
  q = ggml_permute(context, q, 0, 2, 1, 3);                         // (head_dim, n, n_head)
  ggml_tensor* scores = ggml_mul_mat(context, by_head(seen.k), q);  // (n_seen, n, n_head)
  ggml_prec_set_acc(scores, GGML_PREC_F32);
  scores = ggml_soft_max_ext(context, scores, mask, 1.0f / std::sqrt(static_cast<float>(dim)), 0);
  ggml_tensor* v = ggml_cont(
      context, ggml_transpose(context, by_head(seen.v)));  // (n_seen, head_dim, n_head_kv)
  ggml_tensor* mixed = ggml_permute(context, ggml_mul_mat(context, v, scores), 0, 2, 1, 3);
  x = ggml_add(
      context, x,
      ggml_mul_mat(context, layer.wo, ggml_cont_2d(context, mixed, dim * facts_.n_head, n)));

  normed = norm(draft, x, layer.ffn_norm);
  ggml_tensor* hidden = ggml_swiglu_split(context, ggml_mul_mat(context, layer.gate, normed),
                                          ggml_mul_mat(context, layer.up, normed));
  return ggml_add(context, x, ggml_mul_mat(context, layer.down, hidden));
}

ggml_tensor* PackedGraph::positions(Draft& draft, const Trie& trie, const Tile& tile) const {
  std::vector<int32_t> values(static_cast<size_t>(tile.n));
  for (int32_t i = 0; i < tile.n; ++i) {
    values[static_cast<size_t>(i)] = trie.positions[static_cast<size_t>(tile.row(i))];
  }
  ggml_tensor* tensor = draft.input(GGML_TYPE_I32, tile.n, 1);
  draft.fill(tensor, std::move(values));
  return tensor;
}

// 0 where a row of the tile sees a row of the pack, -infinity elsewhere. (n_seen, n)
ggml_tensor* PackedGraph::mask(Draft& draft, const Trie& trie, const Tile& tile,
                               int32_t n_seen) const {
  std::vector<float> values(static_cast<size_t>(tile.n) * static_cast<size_t>(n_seen),
                            -std::numeric_limits<float>::infinity());
  for (int32_t i = 0; i < tile.n; ++i) {
    const int32_t row = tile.row(i);
    for (const Span& span :
         trie.chain(trie.run_of(row), trie.positions[static_cast<size_t>(row)] + 1)) {
      float* from = values.data() + static_cast<size_t>(i) * static_cast<size_t>(n_seen) + span.row;
      std::fill(from, from + span.n_tokens, 0.0f);
    }
  }
  ggml_tensor* tensor = draft.input(GGML_TYPE_F32, n_seen, tile.n);
  draft.fill(tensor, std::move(values));
  return tensor;
}

}  // namespace qwen3_embed
