#include "core/train/rows.h"

#include <algorithm>
#include <cmath>

namespace qwen3_embed::train {
namespace {

constexpr int64_t kLanes = 16;

inline float dot(const float* a, const float* b, int64_t n) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  float sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return sum + lanes[0];
}

inline float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

QWEN3_WIDE void rms_norm_backward(const float* x, const float* weight, float epsilon, int64_t n,
                                  const float* dy, bool adds, float* dx) {
  float along[kLanes] = {}, squares[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) {
      squares[j] += x[i + j] * x[i + j];
      along[j] += dy[i + j] * weight[i + j] * x[i + j];
    }
  }
  for (; i < n; ++i) squares[0] += x[i] * x[i], along[0] += dy[i] * weight[i] * x[i];
  double square = 0, sum = 0;
  for (int64_t j = 0; j < kLanes; ++j) square += double{squares[j]}, sum += double{along[j]};
  const double rho = 1 / std::sqrt(square / static_cast<double>(n) + double{epsilon});
  const auto scale = static_cast<float>(rho);
  const auto back = static_cast<float>(rho * rho * rho * sum / static_cast<double>(n));
  for (int64_t k = 0; k < n; ++k) {
    const float value = scale * dy[k] * weight[k] - back * x[k];
    dx[k] = adds ? dx[k] + value : value;
  }
}

QWEN3_WIDE void norm_rope_backward(const float* raw, int64_t n_heads, int64_t head_dim,
                                   const float* weight, float epsilon, const float* angles,
                                   const float* dy, float* dx) {
  const int64_t half = head_dim / 2;
  const float *cosines = angles, *sines = angles + half;
  for (int64_t head = 0; head < n_heads; ++head) {
    const float* d = dy + head * head_dim;
    float* to = dx + head * head_dim;
    for (int64_t i = 0; i < half; ++i) {
      const float a = d[i], b = d[half + i];
      to[i] = a * cosines[i] + b * sines[i];
      to[half + i] = b * cosines[i] - a * sines[i];
    }
  }
  if (weight == nullptr) return;
  for (int64_t head = 0; head < n_heads; ++head) {
    float* to = dx + head * head_dim;
    rms_norm_backward(raw + head * head_dim, weight, epsilon, head_dim, to, false, to);
  }
}

QWEN3_WIDE void swiglu(const float* gate, const float* up, int64_t n, float* f) {
  for (int64_t i = 0; i < n; ++i) f[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

QWEN3_WIDE void swiglu_backward(const float* gate, const float* up, const float* df, int64_t n,
                                float* dgate, float* dup) {
  for (int64_t i = 0; i < n; ++i) {
    const float s = sigmoid(gate[i]), d = df[i];
    dup[i] = d * gate[i] * s;
    dgate[i] = d * up[i] * s * (1 + gate[i] * (1 - s));
  }
}

QWEN3_WIDE void add_outer(const float* left, int64_t left_stride, const float* right,
                          int64_t right_stride, int64_t n_rows, float factor, int64_t begin,
                          int64_t end, int64_t n_right, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < n_rows; ++r) {
    const float *l = left + r * left_stride, *x = right + r * right_stride;
    for (int64_t i = begin; i < end; ++i) {
      const float scale = factor * l[i];
      float* row = to + i * to_stride;
      for (int64_t k = 0; k < n_right; ++k) row[k] += scale * x[k];
    }
  }
}

QWEN3_WIDE void add_outer_columns(const float* left, int64_t left_stride, const float* right,
                                  int64_t right_stride, int64_t n_rows, int64_t n_left,
                                  int64_t begin, int64_t end, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < n_rows; ++r) {
    const float *l = left + r * left_stride, *x = right + r * right_stride;
    for (int64_t i = 0; i < n_left; ++i) {
      const float scale = l[i];
      float* row = to + i * to_stride;
      for (int64_t k = begin; k < end; ++k) row[k] += scale * x[k];
    }
  }
}

QWEN3_WIDE void attention_by_query(const float* q, const float* dout, int64_t head_dim, float c,
                                   const KeyRange* ranges, int64_t n_ranges, int64_t kv_stride,
                                   float* probabilities, float* slopes, float* dq, float* log_sum,
                                   float* delta) {
  float largest = -INFINITY;
  int64_t n_keys = 0;
  for (int64_t range = 0; range < n_ranges; ++range) {
    for (int64_t t = 0; t < ranges[range].n; ++t, ++n_keys) {
      const float score = c * dot(q, ranges[range].k + t * kv_stride, head_dim);
      probabilities[n_keys] = score;
      slopes[n_keys] = dot(dout, ranges[range].v + t * kv_stride, head_dim);
      largest = std::max(largest, score);
    }
  }
  double sum = 0, mean = 0;
  for (int64_t t = 0; t < n_keys; ++t) {
    probabilities[t] = std::exp(probabilities[t] - largest);
    sum += double{probabilities[t]};
    mean += double{probabilities[t]} * double{slopes[t]};
  }
  const auto norm = static_cast<float>(1 / sum);
  *log_sum = largest + static_cast<float>(std::log(sum));
  *delta = static_cast<float>(mean / sum);
  std::fill(dq, dq + head_dim, 0.0f);
  int64_t i = 0;
  for (int64_t range = 0; range < n_ranges; ++range) {
    for (int64_t t = 0; t < ranges[range].n; ++t, ++i) {
      const float slope = c * probabilities[i] * norm * (slopes[i] - *delta);
      const float* k = ranges[range].k + t * kv_stride;
      for (int64_t d = 0; d < head_dim; ++d) dq[d] += slope * k[d];
    }
  }
}

QWEN3_WIDE void attention_by_key(const float* q, const float* dout, int64_t head_dim, float c,
                                 float log_sum, float delta, const float* k, const float* v,
                                 float* dk, float* dv) {
  const float p = std::exp(c * dot(q, k, head_dim) - log_sum);
  const float slope = c * p * (dot(dout, v, head_dim) - delta);
  for (int64_t d = 0; d < head_dim; ++d) dk[d] += slope * q[d];
  for (int64_t d = 0; d < head_dim; ++d) dv[d] += p * dout[d];
}

}  // namespace qwen3_embed::train
