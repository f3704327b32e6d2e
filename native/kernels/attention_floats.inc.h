// Attention's keys and values as the floats they are, over a vector type; included like
// attention.inc.h.
#pragma once

#include "attention.inc.h"

namespace qwen3_embed::kernels {
namespace {

// Keys stand as (64, head_dim), the queries of a tile as (head_dim, kTile).
struct FloatKeys {
  // Key j of a block.
  static void put(const float* k, int64_t head_dim, int64_t j, float* keys) {
    memcpy(keys + j * head_dim, k, static_cast<size_t>(head_dim) * sizeof(float));
  }

  // Keys [begin, end), which nobody sees but which are multiplied.
  static void put_zeros(int64_t head_dim, int64_t begin, int64_t end, float* keys) {
    memset(keys + begin * head_dim, 0,
           static_cast<size_t>((end - begin) * head_dim) * sizeof(float));
  }

  // Four queries, scaled, into lanes [lane, lane + 4).
  static void put_queries(float (&four)[4][kMaxHeadDim], int64_t head_dim, float scale,
                          int64_t lane, float* q) {
    for (float* query : four)
      for (int64_t d = 0; d < head_dim; d++) query[d] *= scale;
    for (int64_t d = 0; d < head_dim; d += 4)
      Vec::transpose4(four[0] + d, kMaxHeadDim, q + d * kTile + lane, kTile);
  }

  // Scores of keys [0, count) against one tile: p[j][lane].
  template <int NV>
  static void scores(const float* k, const float* q, int64_t head_dim, int64_t count, float* p) {
    for (int64_t j = 0; j < count; j += kStep, k += kStep * head_dim) {
      Vec::F sums[kStep][NV];
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) sums[i][v] = Vec::set(0);
      for (int64_t d = 0; d < head_dim; d++) {
        Vec::F lanes[NV];
        for (int v = 0; v < NV; v++) lanes[v] = Vec::load(q + d * kTile + v * Vec::kLanes);
        for (int i = 0; i < kStep; i++) {
          const Vec::F key = Vec::set(k[i * head_dim + d]);
          for (int v = 0; v < NV; v++) sums[i][v] = Vec::fma(key, lanes[v], sums[i][v]);
        }
      }
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) Vec::store(p + (j + i) * kTile + v * Vec::kLanes, sums[i][v]);
    }
  }
};

// Values stand as (head_dim / kStep, 64, kStep).
struct FloatValues {
  static void put(const float* v, int64_t head_dim, int64_t j, float* values) {
    for (int64_t d = 0; d < head_dim; d += kStep)
      memcpy(values + d * kKeys + j * kStep, v + d, kStep * sizeof(float));
  }

  // After the last of `count` values of a block.
  static void close(int64_t, int64_t, float*) {}

  // o[d][lane] = o · rescale + Σ_j v[j][d] p[j][lane]. The weights p may be overwritten.
  template <int NV>
  static void accumulate(const float* v, float* p, int64_t head_dim, int64_t count,
                         const Vec::F (&rescale)[NV], float* o) {
    for (int64_t d = 0; d < head_dim; d += kStep, v += kKeys * kStep, o += kStep * kTile) {
      Vec::F sums[kStep][NV];
      for (int i = 0; i < kStep; i++)
        for (int l = 0; l < NV; l++)
          sums[i][l] = Vec::mul(Vec::load(o + i * kTile + l * Vec::kLanes), rescale[l]);
      for (int64_t j = 0; j < count; j++) {
        Vec::F weights[NV];
        for (int l = 0; l < NV; l++) weights[l] = Vec::load(p + j * kTile + l * Vec::kLanes);
        for (int i = 0; i < kStep; i++) {
          const Vec::F value = Vec::set(v[j * kStep + i]);
          for (int l = 0; l < NV; l++) sums[i][l] = Vec::fma(value, weights[l], sums[i][l]);
        }
      }
      for (int i = 0; i < kStep; i++)
        for (int l = 0; l < NV; l++) Vec::store(o + i * kTile + l * Vec::kLanes, sums[i][l]);
    }
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
