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

__m512 sixteen(const float* x, int64_t left) {
  return left >= 16 ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(0xff, x);
}

// head_dim codes; returns what a code is worth.
float encode(const float* x, int64_t head_dim, int16_t* codes) {
  __m512 squares = _mm512_setzero_ps();
  for (int64_t d = 0; d < head_dim; d += 16) {
    const __m512 some = sixteen(x + d, head_dim - d);
    squares = _mm512_fmadd_ps(some, some, squares);
  }
  const float length = sqrtf(Vec::sum(squares));
  const float inverse = length > 1e-15f ? kCodeLength / length : 0.0f;
  const __m512 scale = _mm512_set1_ps(inverse);
  for (int64_t d = 0; d < head_dim; d += 16) {
    const __m512 some = _mm512_mul_ps(sixteen(x + d, head_dim - d), scale);
    const __m256i sixteen_codes = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(some));
    const __mmask16 there = head_dim - d >= 16 ? 0xffff : 0xff;
    _mm256_mask_storeu_epi16(codes + d, there, sixteen_codes);
  }
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
    __m512 query_scales[NV];
    for (int v = 0; v < NV; v++)
      query_scales[v] = _mm512_loadu_ps(q + n_pairs * kTile + v * Vec::kLanes);
    for (int64_t j = 0; j < count; j += kStep, pairs += kStep * n_pairs) {
      __m512i sums[kStep][NV];
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) sums[i][v] = _mm512_setzero_si512();
      for (int64_t d = 0; d < n_pairs; d++) {
        __m512i lanes[NV];
        for (int v = 0; v < NV; v++) lanes[v] = _mm512_loadu_si512(q + d * kTile + v * Vec::kLanes);
        for (int i = 0; i < kStep; i++) {
          int32_t pair;
          memcpy(&pair, pairs + i * n_pairs + d, sizeof pair);
          for (int v = 0; v < NV; v++)
            sums[i][v] = _mm512_dpwssd_epi32(sums[i][v], _mm512_set1_epi32(pair), lanes[v]);
        }
      }
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) {
          const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(key_scales[j + i]), query_scales[v]);
          _mm512_storeu_ps(p + (j + i) * kTile + v * Vec::kLanes,
                           _mm512_mul_ps(_mm512_cvtepi32_ps(sums[i][v]), scale));
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
