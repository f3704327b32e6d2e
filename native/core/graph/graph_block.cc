#include "core/graph/graph_block.h"

#include <cmath>

namespace qwen3_embed {

ggml_tensor* GraphBlocks::norm(Draft& draft, ggml_tensor* x, const GraphNorm& norm) const {
  ggml_context* context = draft.context.get();
  if (norm.weight == nullptr) return x;
  if (norm.bias == nullptr)
    return ggml_mul(context, ggml_rms_norm(context, x, net_.epsilon), norm.weight);
  x = ggml_mul(context, ggml_norm(context, x, net_.epsilon), norm.weight);
  return ggml_add(context, x, norm.bias);
}

ggml_tensor* GraphBlocks::product(Draft& draft, const GraphLinear& linear, ggml_tensor* x) const {
  ggml_context* context = draft.context.get();
  ggml_tensor* y = ggml_mul_mat(context, linear.weight, x);
  if (linear.bias != nullptr) y = ggml_add(context, y, linear.bias);
  for (const GraphLinear::Adapter& adapter : linear.adapters) {
    if (adapter.queries_only && !draft.are_queries) continue;
    y = ggml_add(context, y, ggml_mul_mat(context, adapter.b, ggml_mul_mat(context, adapter.a, x)));
  }
  return y;
}

ggml_tensor* GraphBlocks::read(Draft& draft, size_t i_block, ggml_tensor* x) const {
  return net_.norms_come_after ? x : norm(draft, x, weights_.blocks[i_block].attention_norm);
}

// (n_heads * head_dim, n) -> normed per head and rotated. (head_dim, n_heads, n)
ggml_tensor* GraphBlocks::heads(Draft& draft, ggml_tensor* x, int n_heads, const GraphNorm& norm,
                                ggml_tensor* positions) const {
  ggml_context* context = draft.context.get();
  x = this->norm(draft, ggml_reshape_3d(context, x, net_.head_dim, n_heads, x->ne[1]), norm);
  if (net_.rope_theta == 0) return x;
  return ggml_rope_ext(context, x, positions, weights_.rope_factors, net_.head_dim,
                       GGML_ROPE_TYPE_NEOX, 0, static_cast<float>(net_.rope_theta), 1, 0, 1, 32, 1);
}

GraphBlocks::KeysValues GraphBlocks::keys_values(Draft& draft, size_t i_block, ggml_tensor* inputs,
                                                 ggml_tensor* positions) const {
  const GraphBlock& block = weights_.blocks[i_block];
  ggml_tensor* k =
      heads(draft, product(draft, block.k, inputs), net_.n_head_kv, block.k_norm, positions);
  return {ggml_reshape_2d(draft.context.get(), k, net_.n_kv(), inputs->ne[1]),
          product(draft, block.v, inputs)};
}

GraphBlocks::Sight GraphBlocks::sight(Draft& draft, const SightShape& shape,
                                      ggml_tensor* masks) const {
  Sight sight{};
  for (const BinShape& bin : shape.bins) {
    Bin to{bin.n_streams, bin.n_q, bin.n_keys, nullptr, nullptr, mask(draft, bin, masks)};
    if (bin.gathers) {
      to.queries = draft.part(bin.queries);
      to.keys = draft.part(bin.keys);
    }
    sight.bins.push_back(to);
  }
  if (shape.gathers) sight.answers = draft.part(shape.answers);
  return sight;
}

// (n_keys, n_q, 1, n_masks), or null
ggml_tensor* GraphBlocks::mask(Draft& draft, const BinShape& bin, ggml_tensor* masks) const {
  ggml_context* context = draft.context.get();
  if (bin.n_masks == 0) return nullptr;
  const auto rows = [&](int64_t first, int64_t n) {
    return ggml_view_2d(context, masks, bin.n_keys, n, masks->nb[1],
                        static_cast<size_t>(first) * masks->nb[1]);
  };
  if (bin.seen.n == 0) return ggml_cont(context, rows(bin.first_seen - 1, bin.n_q));
  ggml_tensor* mask = ggml_get_rows(context, rows(0, bin.n_keys), draft.part(bin.seen));
  mask = ggml_reshape_4d(context, mask, bin.n_keys, bin.n_q, 1, bin.n_masks);
  return flash_ ? ggml_cast(context, mask, GGML_TYPE_F16) : mask;
}

// q: (head_dim, n_head, n) -> (n_q, n)
ggml_tensor* GraphBlocks::attention(Draft& draft, ggml_tensor* q, const KeysValues& seen,
                                    const Sight& sight) const {
  ggml_context* context = draft.context.get();
  const int64_t dim = net_.head_dim;
  q = ggml_reshape_2d(context, q, net_.n_q(), q->ne[2]);
  // Rows -> (head_dim, n, n_heads, n_streams). Where they are halves they have been so before.
  const auto by_head = [&](ggml_tensor* rows, ggml_tensor* chosen, int64_t n_heads, int64_t n,
                           int64_t n_streams, bool as_halves) {
    if (chosen != nullptr) rows = ggml_get_rows(context, rows, chosen);
    if (as_halves && rows->type != GGML_TYPE_F16) rows = ggml_cast(context, rows, GGML_TYPE_F16);
    const size_t element = ggml_element_size(rows);
    return ggml_permute(
        context,
        ggml_view_4d(context, rows, dim, n_heads, n, n_streams, static_cast<size_t>(dim) * element,
                     rows->nb[1], static_cast<size_t>(n) * rows->nb[1], 0),
        0, 2, 1, 3);
  };
  ggml_tensor* mixed = nullptr;
  for (const Bin& bin : sight.bins) {
    ggml_tensor* part = attend(
        draft, by_head(q, bin.queries, net_.n_head, bin.n_q, bin.n_streams, false),
        by_head(seen.k, bin.keys, net_.n_head_kv, bin.n_keys, bin.n_streams, flash_),
        by_head(seen.v, bin.keys, net_.n_head_kv, bin.n_keys, bin.n_streams, flash_), bin.mask);
    mixed = mixed == nullptr ? part : ggml_concat(context, mixed, part, 1);
  }
  return sight.answers == nullptr ? mixed : ggml_get_rows(context, mixed, sight.answers);
}

// q: (head_dim, n, n_head, n_streams); k, v: (head_dim, n_keys, n_head_kv, n_streams); mask:
// (n_keys, n, 1, n_streams or 1) -> (n_q, n * n_streams)
ggml_tensor* GraphBlocks::attend(Draft& draft, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                                 ggml_tensor* mask) const {
  ggml_context* context = draft.context.get();
  const int64_t n_rows = q->ne[1] * q->ne[3];
  const float scale = 1.0f / std::sqrt(static_cast<float>(net_.head_dim));
  ggml_tensor* mixed;
  if (flash_) {
    mixed = ggml_flash_attn_ext(context, q, k, v, mask, scale, 0, 0);
    ggml_prec_set_acc(mixed, GGML_PREC_F32);
  } else {
    ggml_tensor* scores = ggml_mul_mat(context, k, q);  // (n_keys, n, n_head, n_streams)
    ggml_prec_set_acc(scores, GGML_PREC_F32);
    scores = ggml_soft_max_ext(context, scores, mask, scale, 0);
    v = ggml_cont(context, ggml_transpose(context, v));  // (n_keys, head_dim, n_head_kv, n_streams)
    mixed = ggml_cont(context, ggml_permute(context, ggml_mul_mat(context, v, scores), 0, 2, 1, 3));
  }
  return ggml_reshape_2d(context, mixed, net_.n_q(), n_rows);
}

ggml_tensor* GraphBlocks::feed_forward(Draft& draft, const GraphBlock& block,
                                       ggml_tensor* inputs) const {
  ggml_context* context = draft.context.get();
  ggml_tensor* up = product(draft, block.up, inputs);
  ggml_tensor* hidden = block.gate.weight != nullptr
                            ? ggml_swiglu_split(context, product(draft, block.gate, inputs), up)
                            : ggml_gelu_erf(context, up);
  return product(draft, block.down, hidden);
}

ggml_tensor* GraphBlocks::answer(Draft& draft, size_t i_block, ggml_tensor* x, ggml_tensor* inputs,
                                 ggml_tensor* positions, const KeysValues& seen,
                                 const Sight& sight) const {
  ggml_context* context = draft.context.get();
  const GraphBlock& block = weights_.blocks[i_block];
  const bool after = net_.norms_come_after;
  ggml_tensor* q =
      heads(draft, product(draft, block.q, inputs), net_.n_head, block.q_norm, positions);
  x = ggml_add(context, x, product(draft, block.out, attention(draft, q, seen, sight)));
  if (after) x = norm(draft, x, block.attention_norm);
  inputs = after ? x : norm(draft, x, block.feed_forward_norm);
  x = ggml_add(context, x, feed_forward(draft, block, inputs));
  return after ? norm(draft, x, block.feed_forward_norm) : x;
}

}  // namespace qwen3_embed
