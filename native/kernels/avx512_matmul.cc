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
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// ---- float weights: one multiply-add per value of k, in order ----

template <class Unit>
struct Widen;
template <>
struct Widen<PackedF32> {
  static __m512 values(const PackedF32& u, int k) { return _mm512_loadu_ps(u.values[k]); }
};
template <>
struct Widen<PackedF16> {
  static __m512 values(const PackedF16& u, int k) { return half_to_float(u.values[k]); }
};
template <>
struct Widen<PackedBf16> {
  static __m512 values(const PackedBf16& u, int k) {
    const __m512i pairs = _mm512_loadu_si512(u.values[k / 2]);
    return _mm512_castsi512_ps(
        k % 2 ? _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000u)))
              : _mm512_slli_epi32(pairs, 16));
  }
};

template <class Unit, int MR, int NC>
void step_f32(const Unit* const (&units)[2], const RowBlockF32& rows, int k,
              __m512 (&sums)[MR][NC]) {
  __m512 w[NC];
  for (int c = 0; c < NC; c++) w[c] = Widen<Unit>::values(*units[c], k);
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++)
      sums[r][c] = _mm512_fmadd_ps(w[c], _mm512_set1_ps(rows.values[r][k]), sums[r][c]);
}

template <class Unit, int MR, int NC>
void tile_f32(const Tile& t) {
  const auto* rows = static_cast<const RowBlockF32*>(t.rows);
  const auto* unit = static_cast<const Unit*>(t.panel);
  const auto* second =
      reinterpret_cast<const Unit*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  __m512 even[MR][NC], odd[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) even[r][c] = odd[r][c] = _mm512_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++, unit++, second++) {
    const Unit* units[2] = {unit, second};
#pragma GCC unroll 2
    for (int k = 0; k < kBlock; k += 2) {
      step_f32(units, *rows, k, even);
      step_f32(units, *rows, k + 1, odd);
    }
  }
  finish(t, even, odd);
}

template <class Unit, int NC>
void run_f32(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_f32<Unit, 1, NC>, tile_f32<Unit, 2, NC>,
                                         tile_f32<Unit, 3, NC>, tile_f32<Unit, 4, NC>,
                                         tile_f32<Unit, 5, NC>, tile_f32<Unit, 6, NC>};
  kRuns[t.n_rows - 1](t);
}

template <class Unit>
void run_floats(const Tile& t) {
  t.n_outputs > 16 ? run_f32<Unit, 2>(t) : run_f32<Unit, 1>(t);
}

template <class Unit, class RowBlock>
void multiply(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
              const float* add, int64_t add_stride, int ith, int nth) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    multiply_codes<Unit>(weights, rows, out, out_stride, add, add_stride, ith, nth);
  } else {
    each_tile<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride, ith, nth,
                              run_floats<Unit>);
  }
}

template <class Unit, class RowBlock>
void multiply_gated(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                    int ith, int nth) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    multiply_gated_codes<Unit>(gate, up, rows, out, ith, nth);
  } else {
    each_gated_tile<Unit, RowBlock>(gate, up, rows, out, ith, nth, run_floats<Unit>);
  }
}

}  // namespace

void avx512_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                   const float* add, int64_t add_stride, int ith, int nth) {
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return multiply<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride, ith, nth);
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

void avx512_matmul_swiglu(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                          int ith, int nth) {
  switch (gate.type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return multiply_gated<Unit, RowBlock>(gate, up, rows, out, ith, nth);
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
