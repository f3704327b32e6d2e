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

// codes · rows of one half of the block's values of k, or of all of them.
enum class Part { kAll, kFirst, kSecond };

template <class Shape, class Unit, Part part, int R, int V>
QWEN3_OVER_REGISTERS void multiply_part(const Unit& unit, int b,
                                        const typename Shape::RowBlock& rows, int first,
                                        float32x4_t (&products)[R][V]) {
  const float32x4_t zero = origin<Decode<Unit>::kShift>();
  int32x4_t acc[R][V];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) acc[r][v] = vreinterpretq_s32_f32(zero);
  if constexpr (part != Part::kSecond) Shape::template multiply<Unit, 0>(unit, b, rows, first, acc);
  if constexpr (part != Part::kFirst) Shape::template multiply<Unit, 1>(unit, b, rows, first, acc);
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) products[r][v] = vsubq_f32(vreinterpretq_f32_s32(acc[r][v]), zero);
}

template <class Shape, class Unit, int V>
QWEN3_OVER_REGISTERS void scales_of(const Unit& unit, int b, int part, int first,
                                    float32x4_t (&scales)[V]) {
  Shape::spread([&](int o) { return Decode<Unit>::scale(unit, b, part, first + o); }, scales);
}

// sums += scale · codes · rows.
template <class Shape, class Unit, int R, int V>
QWEN3_OVER_REGISTERS void add_whole(const Unit& unit, int b, const typename Shape::RowBlock& rows,
                                    int first, float32x4_t (&sums)[R][V]) {
  float32x4_t products[R][V], scales[V];
  multiply_part<Shape, Unit, Part::kAll>(unit, b, rows, first, products);
  scales_of<Shape>(unit, b, 0, first, scales);
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++)
      sums[r][v] = vfmaq_f32(sums[r][v], products[r][v], Shape::times(scales[v], rows.d, r));
}

// The same of two scales a block, for W vectors of outputs from the kFrom'th on: together they need
// registers that all V at once would not leave.
template <class Shape, class Unit, int kFrom, int W, int R, int V>
QWEN3_OVER_REGISTERS void add_halves(const Unit& unit, int b, const typename Shape::RowBlock& rows,
                                     int first, float32x4_t (&sums)[R][V]) {
  const int at = first + kFrom * Shape::kOutputs;
  float32x4_t products[R][W], both[R][W], scales[W];
  multiply_part<Shape, Unit, Part::kFirst>(unit, b, rows, at, products);
  scales_of<Shape>(unit, b, 0, at, scales);
  for (int r = 0; r < R; r++)
    for (int w = 0; w < W; w++) both[r][w] = vmulq_f32(products[r][w], scales[w]);
  multiply_part<Shape, Unit, Part::kSecond>(unit, b, rows, at, products);
  scales_of<Shape>(unit, b, 1, at, scales);
  for (int r = 0; r < R; r++)
    for (int w = 0; w < W; w++) {
      both[r][w] = vfmaq_f32(both[r][w], products[r][w], scales[w]);
      sums[r][kFrom + w] = Shape::plus(sums[r][kFrom + w], both[r][w], rows.d, r);
    }
}

// sums += codes · rows - minima · Σ rows, of one block.
template <class Shape, class Unit, int R, int V>
QWEN3_OVER_REGISTERS void add_block(const Unit& unit, int b, const typename Shape::RowBlock& rows,
                                    int first, float32x4_t (&sums)[R][V]) {
  using Type = Decode<Unit>;
  if constexpr (Type::kParts == 1) {
    add_whole<Shape>(unit, b, rows, first, sums);
  } else {
    add_halves<Shape, Unit, 0, V / 2>(unit, b, rows, first, sums);
    add_halves<Shape, Unit, V / 2, V / 2>(unit, b, rows, first, sums);
  }
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
