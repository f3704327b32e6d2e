// Products for 64-bit ARM with dot products of four bytes: a row's four codes stand in a lane, by
// which the codes of four outputs are multiplied. Floats by multiply-add in the same way.
#include <arm_neon.h>

#include <cstring>
#include <type_traits>

#include "neon_decoded.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// Four values of k, the group'th of the block, of four outputs.
constexpr Sixteen sixteen_of_quads(int group, int outputs) {
  return {group * 64 + outputs * 16, outputs * 16};
}

// Lane kLane of each row's sixteen codes times group kGroup of the block.
template <class Unit, int kGroup, int R, int V>
QWEN3_OVER_REGISTERS void multiply_group(const Unit& unit, int b, int first,
                                         const int8x16_t (&rows)[R], int32x4_t (&acc)[R][V]) {
  int8x16_t w[V];
  for (int v = 0; v < V; v++)
    w[v] = Decode<Unit>::template codes<kGroup>(unit, b, sixteen_of_quads(kGroup, first / 4 + v));
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) acc[r][v] = vdotq_laneq_s32(acc[r][v], w[v], rows[r], kGroup % 4);
}

struct OneByFour {
  using RowBlock = RowBlockQ8;
  static constexpr int kRows = 1, kOutputs = 4;
  static constexpr Sixteen sixteen(int turn, int i) { return sixteen_of_quads(turn, i); }

  // Half kHalf of the block's values of k.
  template <class Unit, int kHalf, int R, int V>
  QWEN3_OVER_REGISTERS static void multiply(const Unit& unit, int b, const RowBlock& rows,
                                            int first, int32x4_t (&acc)[R][V]) {
    int8x16_t codes[R];
    for (int r = 0; r < R; r++) codes[r] = vld1q_s8(rows.codes[r] + kHalf * 16);
    multiply_group<Unit, kHalf * 4>(unit, b, first, codes, acc);
    multiply_group<Unit, kHalf * 4 + 1>(unit, b, first, codes, acc);
    multiply_group<Unit, kHalf * 4 + 2>(unit, b, first, codes, acc);
    multiply_group<Unit, kHalf * 4 + 3>(unit, b, first, codes, acc);
  }
  template <class Four, int V>
  static void spread(Four four, float32x4_t (&to)[V]) {
    for (int v = 0; v < V; v++) to[v] = four(v * 4);
  }
  static float32x4_t times(float32x4_t a, const float* of_rows, int r) {
    return vmulq_n_f32(a, of_rows[r]);
  }
  static float32x4_t plus(float32x4_t sum, float32x4_t a, const float* of_rows, int r) {
    return vfmaq_f32(sum, a, vdupq_n_f32(of_rows[r]));
  }
  static float32x4_t minus(float32x4_t sum, float32x4_t a, const float* of_rows, int r) {
    return vfmsq_f32(sum, a, vdupq_n_f32(of_rows[r]));
  }
  template <int R, int V>
  static void finish(const Tile& t, int output, const float32x4_t (&sums)[R][V]) {
    for (int r = 0; r < R && r < t.n_rows; r++)
      for (int v = 0; v < V; v++) finish_four(t, r, output + v * 4, sums[r][v]);
  }
};

// ---- float weights: one multiply-add per value of k, in order ----

template <int>
float32x4_t widen(const PackedF32& u, int k, int output) {
  return vld1q_f32(u.values[k] + output);
}
template <int>
float32x4_t widen(const PackedF16& u, int k, int output) {
  return half_to_float(u.values[k] + output);
}
// kOdd of pairs of k.
template <int kOdd>
float32x4_t widen(const PackedBf16& u, int k, int output) {
  const uint32x4_t pairs = vreinterpretq_u32_u16(vld1q_u16(u.values[k / 2][output]));
  return vreinterpretq_f32_u32(kOdd ? vandq_u32(pairs, vdupq_n_u32(0xffff0000u))
                                    : vshlq_n_u32(pairs, 16));
}

template <class Unit, int kLane, int R, int V>
QWEN3_OVER_REGISTERS void multiply_value(const Unit& unit, int k, const RowBlockF32& rows,
                                         float32x4_t (&sums)[R][V]) {
  float32x4_t w[V];
  for (int v = 0; v < V; v++) w[v] = widen<kLane % 2>(unit, k + kLane, v * 4);
  for (int r = 0; r < R; r++) {
    const float32x4_t four = vld1q_f32(rows.values[r] + k);
    for (int v = 0; v < V; v++) sums[r][v] = vfmaq_laneq_f32(sums[r][v], w[v], four, kLane);
  }
}

template <class Unit, int R>
void part_f32(const Tile& t, int output) {
  constexpr int V = 4;
  const auto* rows = static_cast<const RowBlockF32*>(t.rows);
  const auto* unit = reinterpret_cast<const Unit*>(
      static_cast<const char*>(t.panel) + static_cast<size_t>(output / kPanel) * t.panel_bytes);
  float32x4_t sums[R][V];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) sums[r][v] = vdupq_n_f32(0);
  for (int64_t block = 0; block < t.n_blocks; block++, rows++, unit++)
    for (int k = 0; k < kBlock; k += 4) {
      multiply_value<Unit, 0>(*unit, k, *rows, sums);
      multiply_value<Unit, 1>(*unit, k, *rows, sums);
      multiply_value<Unit, 2>(*unit, k, *rows, sums);
      multiply_value<Unit, 3>(*unit, k, *rows, sums);
    }
  OneByFour::finish(t, output, sums);
}

template <class Unit, int R>
void tile_f32(const Tile& t) {
  for (int output = 0; output < t.n_outputs; output += 16) part_f32<Unit, R>(t, output);
}

template <class Unit, class RowBlock, int R>
void tile_of_rows(const Tile& t) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    tile_q8<OneByFour, Unit, R>(t);
  } else {
    tile_f32<Unit, R>(t);
  }
}

template <class Unit, class RowBlock>
void tile(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {
      tile_of_rows<Unit, RowBlock, 1>, tile_of_rows<Unit, RowBlock, 2>,
      tile_of_rows<Unit, RowBlock, 3>, tile_of_rows<Unit, RowBlock, 4>,
      tile_of_rows<Unit, RowBlock, 5>, tile_of_rows<Unit, RowBlock, 6>};
  kRuns[t.n_rows - 1](t);
}

template <class Unit, class RowBlock>
void product(const Product& p, int ith, int nth) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    product_q8<OneByFour, Unit>(p, ith, nth, tile<Unit, RowBlock>);
  } else {
    each_tile(p, ith, nth, tile<Unit, RowBlock>);
  }
}

}  // namespace

void neon_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                 const float* add, int64_t add_stride, int ith, int nth) {
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return product<Unit, RowBlock>(             \
        product_of<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride), ith, nth);
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
