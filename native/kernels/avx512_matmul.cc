// Products with AVX-512 VNNI: 6 rows by 32 outputs in registers.
#include <immintrin.h>

#include <type_traits>

#include "vec_avx512.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type it is written over.
#include "codes_stepped.inc.h"
// And these after both.
#include "avx512_codes.inc.h"
#include "avx512_q16.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// ---- F32 weights: one multiply-add per value of k, in order ----

template <int MR, int NC>
void step_f32(const PackedF32* const (&units)[2], const RowBlockF32& rows, int k,
              __m512 (&sums)[MR][NC]) {
  __m512 w[NC];
  for (int c = 0; c < NC; c++) w[c] = _mm512_loadu_ps(units[c]->values[k]);
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++)
      sums[r][c] = _mm512_fmadd_ps(w[c], _mm512_set1_ps(rows.values[r][k]), sums[r][c]);
}

template <int MR, int NC>
void tile_f32(const Tile& t) {
  const auto* rows = static_cast<const RowBlockF32*>(t.rows);
  const auto* unit = static_cast<const PackedF32*>(t.panel);
  const auto* second =
      reinterpret_cast<const PackedF32*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  __m512 even[MR][NC], odd[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) even[r][c] = odd[r][c] = _mm512_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++, unit++, second++) {
    const PackedF32* units[2] = {unit, second};
#pragma GCC unroll 2
    for (int k = 0; k < kBlock; k += 2) {
      step_f32(units, *rows, k, even);
      step_f32(units, *rows, k + 1, odd);
    }
  }
  finish(t, even, odd);
}

template <int NC>
void run_f32(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_f32<1, NC>, tile_f32<2, NC>, tile_f32<3, NC>,
                                         tile_f32<4, NC>, tile_f32<5, NC>, tile_f32<6, NC>};
  kRuns[t.n_rows - 1](t);
}

// Tiles of everything but codes of 8 bits and less.
template <class RowBlock>
void run_wide(const Tile& t) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ16>) {
    run_q16(t);
  } else {
    t.n_outputs > 16 ? run_f32<2>(t) : run_f32<1>(t);
  }
}

template <class Unit, class RowBlock>
void multiply(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
              const float* add, int64_t add_stride, int ith, int nth) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    multiply_codes<Unit>(weights, rows, out, out_stride, add, add_stride, ith, nth);
  } else {
    each_tile<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride, ith, nth,
                              run_wide<RowBlock>);
  }
}

template <class Unit, class RowBlock>
void multiply_gated(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                    int ith, int nth) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    multiply_gated_codes<Unit>(gate, up, rows, out, ith, nth);
  } else {
    each_gated_tile<Unit, RowBlock>(gate, up, rows, out, ith, nth, run_wide<RowBlock>);
  }
}

}  // namespace

void avx512_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                   const float* add, int64_t add_stride, int ith, int nth) {
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return multiply<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride, ith, nth);
    QWEN3_WEIGHT_TYPES_Q16(X)
#undef X
  }
}

void avx512_matmul_swiglu(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                          int ith, int nth) {
  switch (gate.type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return multiply_gated<Unit, RowBlock>(gate, up, rows, out, ith, nth);
    QWEN3_WEIGHT_TYPES_Q16(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
