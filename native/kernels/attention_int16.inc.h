// Attention's keys as 16-bit codes, two products an instruction lane where floats have one;
// included like attention.inc.h.
#pragma once

#include <math.h>

#include "attention.inc.h"

namespace qwen3_embed::kernels {
namespace {

// A key or query is scaled to this length before it is rounded to integers, so no component leaves
// 16 bits and, by Cauchy and Schwarz, no sum of products leaves 31: (32760 + √head_dim / 2)² < 2³⁰.
// A score is then off by 1.3e-5 of |q| |k| (rms): less than with F16 keys.
constexpr float kCodeLength = 32760.0f;

// head_dim codes; returns what a code is worth.
float encode(const float* x, int64_t head_dim, int16_t* codes) {
  Vec::F squares = Vec::set(0);
  for (int64_t d = 0; d < head_dim; d += Vec::kLanes) {
    const Vec::F some = Vec::load_up_to(x + d, head_dim - d);
    squares = Vec::fma(some, some, squares);
  }
  const float length = sqrtf(Vec::sum(squares));
  const Vec::F scale = Vec::set(length > 1e-15f ? kCodeLength / length : 0.0f);
  for (int64_t d = 0; d < head_dim; d += Vec::kLanes)
    Vec::store_codes(codes + d, Vec::mul(Vec::load_up_to(x + d, head_dim - d), scale),
                     head_dim - d);
  // Infinite or not a number: so be every score.
  return length < HUGE_VALF ? length / kCodeLength : NAN;
}

// Keys stand as (64, head_dim) codes and (64) scales, the queries of a tile as (head_dim / 2,
// kTile) pairs of codes and (kTile) scales.
struct Int16Keys {
  static void put(const float* k, int64_t head_dim, int64_t j, float* keys) {
    scales(keys, head_dim)[j] =
        encode(k, head_dim, reinterpret_cast<int16_t*>(keys) + j * head_dim);
  }

  static void put_zeros(int64_t head_dim, int64_t begin, int64_t end, float* keys) {
    memset(reinterpret_cast<int16_t*>(keys) + begin * head_dim, 0,
           static_cast<size_t>((end - begin) * head_dim) * sizeof(int16_t));
    for (int64_t j = begin; j < end; j++) scales(keys, head_dim)[j] = 0;
  }

  static void put_queries(float (&four)[4][kMaxHeadDim], int64_t head_dim, float scale,
                          int64_t lane, float* q) {
    alignas(64) float codes[4][kMaxHeadDim / 2];
    for (int i = 0; i < 4; i++)
      q[head_dim / 2 * kTile + lane + i] =
          scale * encode(four[i], head_dim, reinterpret_cast<int16_t*>(codes[i]));
    for (int64_t d = 0; d < head_dim / 2; d += 4)
      Vec::transpose4(codes[0] + d, kMaxHeadDim / 2, q + d * kTile + lane, kTile);
  }

  template <int NV>
  static void scores(const float* keys, const float* q, int64_t head_dim, int64_t count, float* p) {
    const auto* pairs = reinterpret_cast<const int32_t*>(keys);
    const float* key_scales = scales(keys, head_dim);
    const int64_t n_pairs = head_dim / 2;
    Vec::F query_scales[NV];
    for (int v = 0; v < NV; v++) query_scales[v] = Vec::load(q + n_pairs * kTile + v * Vec::kLanes);
    for (int64_t j = 0; j < count; j += kStep, pairs += kStep * n_pairs) {
      Vec::I sums[kStep][NV];
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) sums[i][v] = Vec::zeros();
      for (int64_t d = 0; d < n_pairs; d++) {
        Vec::I lanes[NV];
        for (int v = 0; v < NV; v++) lanes[v] = Vec::load_codes(q + d * kTile + v * Vec::kLanes);
        for (int i = 0; i < kStep; i++) {
          const Vec::I pair = Vec::set_codes(pairs + i * n_pairs + d);
          for (int v = 0; v < NV; v++) sums[i][v] = Vec::add_products(sums[i][v], pair, lanes[v]);
        }
      }
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) {
          const Vec::F scale = Vec::mul(Vec::set(key_scales[j + i]), query_scales[v]);
          Vec::store(p + (j + i) * kTile + v * Vec::kLanes,
                     Vec::mul(Vec::to_floats(sums[i][v]), scale));
        }
    }
  }

 private:
  template <typename Float>
  static Float* scales(Float* keys, int64_t head_dim) {
    return keys + kKeys * head_dim / 2;
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
