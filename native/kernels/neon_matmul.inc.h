// Products of codes on 16-byte vectors: 6 rows by 8 outputs in registers, or fewer rows by 16.
//
// Written over a `Shape`: what of a tile stands in one vector of sums (kRows by kOutputs), and how
// codes and rows are multiplied into it.
#pragma once

#include <arm_neon.h>

#include <cstring>

#include "matmul.inc.h"
#include "neon_decode.inc.h"

namespace qwen3_embed::kernels {
namespace {

// Sums start at the bits of a float so large that its last bit counts one (2^-kShift, for codes
// times 2^kShift), and are its distance from it when they end: a subtraction is done by every unit,
// a conversion by one of them. |sum| stays below 2^20.
template <int kShift>
float32x4_t origin() {
  return vdupq_n_f32(0x1.8p23f / static_cast<float>(1 << kShift));
}

// sums += codes · rows, of part `kPart` of the block's scales (of all its k where there is one).
template <class Shape, class Unit, int kPart, int R, int V>
QWEN3_OVER_REGISTERS void add_part(const Unit& unit, int b, const typename Shape::RowBlock& rows,
                                   int first, float32x4_t (&sums)[R][V]) {
  using Type = Decode<Unit>;
  const float32x4_t zero = origin<Type::kShift>();
  int32x4_t acc[R][V];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) acc[r][v] = vreinterpretq_s32_f32(zero);
  if constexpr (Type::kParts == 1 || kPart == 0)
    Shape::template multiply<Unit, 0>(unit, b, rows, first, acc);
  if constexpr (Type::kParts == 1 || kPart == 1)
    Shape::template multiply<Unit, 1>(unit, b, rows, first, acc);
  float32x4_t scales[V];
  Shape::spread([&](int output) { return Type::scale(unit, b, kPart, first + output); }, scales);
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) {
      const float32x4_t sum = vsubq_f32(vreinterpretq_f32_s32(acc[r][v]), zero);
      sums[r][v] = vfmaq_f32(sums[r][v], sum, Shape::times(scales[v], rows.d, r));
    }
}

// sums += codes · rows - minima · Σ rows, of one block.
template <class Shape, class Unit, int R, int V>
QWEN3_OVER_REGISTERS void add_block(const Unit& unit, int b, const typename Shape::RowBlock& rows,
                                    int first, float32x4_t (&sums)[R][V]) {
  using Type = Decode<Unit>;
  add_part<Shape, Unit, 0>(unit, b, rows, first, sums);
  if constexpr (Type::kParts == 2) add_part<Shape, Unit, 1>(unit, b, rows, first, sums);
  if constexpr (Type::kMins) {
    float32x4_t mins[V];
    Shape::spread([&](int output) { return Type::min(unit, b, first + output); }, mins);
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) sums[r][v] = Shape::minus(sums[r][v], mins[v], rows.sum, r);
  }
}

// The tile's rows by V vectors of outputs, from `output` on.
template <class Shape, class Unit, int R, int V>
void part_q8(const Tile& t, int output, int64_t fetch_step) {
  const auto* rows = static_cast<const typename Shape::RowBlock*>(t.rows);
  const auto* unit = reinterpret_cast<const Unit*>(
      static_cast<const char*>(t.panel) + static_cast<size_t>(output / kPanel) * t.panel_bytes);
  const int first = output % static_cast<int>(kPanel);
  const char* fetch = t.fetch;
  float32x4_t sums[R][V];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) sums[r][v] = vdupq_n_f32(0);

  for (int64_t left = t.n_blocks; left > 0; left -= Unit::kBlocks, unit++) {
    const int n = static_cast<int>(min_of(left, Unit::kBlocks));
    for (int b = 0; b < n; b++, rows++) {
      for (int64_t i = 0; i < fetch_step; i++, fetch += 64) prefetch(fetch);
      add_block<Shape>(*unit, b, *rows, first, sums);
    }
  }
  Shape::finish(t, output, sums);
}

// Four outputs of one row, as many as there are.
void finish_four(const Tile& t, int row, int output, float32x4_t sums) {
  float* out = t.out + row * t.out_stride + output;
  const float* add = t.add ? t.add + row * t.add_stride + output : nullptr;
  const int n = t.n_outputs - output;
  if (n >= 4) return vst1q_f32(out, add ? vaddq_f32(sums, vld1q_f32(add)) : sums);
  float four[4];
  vst1q_f32(four, sums);
  for (int i = 0; i < n; i++) out[i] = add ? four[i] + add[i] : four[i];
}

// The tile, cut so that its sums stay in registers: R vectors of rows by as many of outputs as make
// twelve, or 16 outputs. The next panels are fetched by the first part only.
template <class Shape, class Unit, int R>
void tile_q8(const Tile& t) {
  constexpr int kMost = 16 / Shape::kOutputs, kHalf = kMost / 2;
  constexpr int V = R * kMost <= 12 ? kMost : kHalf;
  for (int output = 0; output < t.n_outputs; output += V * Shape::kOutputs)
    part_q8<Shape, Unit, R, V>(t, output, output == 0 ? t.fetch_step : 0);
}

}  // namespace
}  // namespace qwen3_embed::kernels
