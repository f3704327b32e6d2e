// Attention's two products with one factor taken from a lane of a register, four values a load:
// spreading a value over a register costs a slot of the units that multiply.
#pragma once

#include "attention_floats.inc.h"

namespace qwen3_embed::kernels {
namespace {

// Lane kLane of four values of each key times the queries' vectors for that dimension.
template <int kLane, int NV>
void add_dimension(const float* q, const Vec::F (&keys)[kStep], Vec::F (&sums)[kStep][NV]) {
  Vec::F lanes[NV];
  for (int v = 0; v < NV; v++) lanes[v] = Vec::load(q + kLane * kTile + v * Vec::kLanes);
  for (int i = 0; i < kStep; i++)
    for (int v = 0; v < NV; v++) sums[i][v] = vfmaq_laneq_f32(sums[i][v], lanes[v], keys[i], kLane);
}

struct NeonKeys : FloatKeys {
  template <int NV>
  static void scores(const float* k, const float* q, int64_t head_dim, int64_t count, float* p) {
    for (int64_t j = 0; j < count; j += kStep, k += kStep * head_dim) {
      Vec::F sums[kStep][NV];
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) sums[i][v] = Vec::set(0);
      for (int64_t d = 0; d < head_dim; d += 4) {
        Vec::F keys[kStep];
        for (int i = 0; i < kStep; i++) keys[i] = Vec::load(k + i * head_dim + d);
        const float* four = q + d * kTile;
        add_dimension<0>(four, keys, sums);
        add_dimension<1>(four, keys, sums);
        add_dimension<2>(four, keys, sums);
        add_dimension<3>(four, keys, sums);
      }
      for (int i = 0; i < kStep; i++)
        for (int v = 0; v < NV; v++) Vec::store(p + (j + i) * kTile + v * Vec::kLanes, sums[i][v]);
    }
  }
};

template <int kLane, int NV>
void add_value(Vec::F values, const Vec::F (&weights)[NV], Vec::F (&sums)[NV]) {
  for (int l = 0; l < NV; l++) sums[l] = vfmaq_laneq_f32(sums[l], weights[l], values, kLane);
}

struct NeonValues : FloatValues {
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
        for (int i = 0; i < kStep; i += 4) {
          const Vec::F values = Vec::load(v + j * kStep + i);
          add_value<0>(values, weights, sums[i]);
          add_value<1>(values, weights, sums[i + 1]);
          add_value<2>(values, weights, sums[i + 2]);
          add_value<3>(values, weights, sums[i + 3]);
        }
      }
      for (int i = 0; i < kStep; i++)
        for (int l = 0; l < NV; l++) Vec::store(o + i * kTile + l * Vec::kLanes, sums[i][l]);
    }
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
