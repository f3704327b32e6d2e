// Row steps backwards: what the kernels compute forwards, term by term. One row
// (or head) at a time, floats in one fixed order: the bits do not depend on who computes them.
#pragma once

#include <cstdint>

// Compiled for wider registers too where the compiler can choose at run time. Products and sums
// stay apart (no fused multiply-add), so the bits are those of the plain code.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define QWEN3_WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define QWEN3_WIDE
#endif

namespace qwen3_embed::train {

// y = x ρ w with ρ = (mean x² + ε)^-1/2: dx (+)= ρ (e - x̂ mean(e x̂)), e = dy w, x̂ = ρ x.
void rms_norm_backward(const float* x, const float* weight, float epsilon, int64_t n,
                       const float* dy, bool adds, float* dx);

// Of kernels::Kernels::norm_rope, for n_heads heads of one token, `raw` as they were before it;
// dx may be dy.
void norm_rope_backward(const float* raw, int64_t n_heads, int64_t head_dim, const float* weight,
                        float epsilon, const float* angles, const float* dy, float* dx);

// f = gate σ(gate) up.
void swiglu(const float* gate, const float* up, int64_t n, float* f);
void swiglu_backward(const float* gate, const float* up, const float* df, int64_t n, float* dgate,
                     float* dup);

// to[i][k] += factor Σ_r left[r][i] right[r][k] for i in [begin, end), k < n_right; rows in order.
// Strides in floats; the first is that of `left`'s rows.
void add_outer(const float* left, int64_t left_stride, const float* right, int64_t right_stride,
               int64_t n_rows, float factor, int64_t begin, int64_t end, int64_t n_right, float* to,
               int64_t to_stride);
// The same with the roles of rows and columns of `to` cut the other way: for k in [begin, end).
void add_outer_columns(const float* left, int64_t left_stride, const float* right,
                       int64_t right_stride, int64_t n_rows, int64_t n_left, int64_t begin,
                       int64_t end, float* to, int64_t to_stride);

// ---- attention of one query head or key ----

struct KeyRange {
  const float *k, *v;  // rows, first key
  int64_t n;
};

// Softmax over c q·k, its gradients by q. probabilities and slopes are room for n_keys values.
// Gives the log of the sum of exponentials and Σ P dP, for attention_by_key.
void attention_by_query(const float* q, const float* dout, int64_t head_dim, float c,
                        const KeyRange* ranges, int64_t n_ranges, int64_t kv_stride,
                        float* probabilities, float* slopes, float* dq, float* log_sum,
                        float* delta);

// What one query head adds to the gradients of one key and its value.
void attention_by_key(const float* q, const float* dout, int64_t head_dim, float c, float log_sum,
                      float delta, const float* k, const float* v, float* dk, float* dv);

}  // namespace qwen3_embed::train
