// Products with AVX-512 VNNI: 6 rows by 32 outputs in registers, weights as unsigned bytes,
// activations as broadcast signed ones. Per block of 32 only a conversion, a product of scales and
// a multiply-add leave the integers.
#include <immintrin.h>

#include <cstring>
#include <type_traits>

#include "avx512_decode.inc.h"
#include "avx512_tile.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

__m512i broadcast_codes(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}

template <class Unit, int MR, int NC>
void tile_q8(const Tile& t) {
  using Type = Decode<Unit>;
  constexpr int kGroups = 8 / Type::kParts;
  const auto* rows = static_cast<const RowBlockQ8*>(t.rows);
  const auto* unit = static_cast<const Unit*>(t.panel);
  const auto* second =
      reinterpret_cast<const Unit*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  const char* fetch = t.fetch;

  __m512 sums[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) sums[r][c] = _mm512_setzero_ps();

  for (int64_t left = t.n_blocks; left > 0; left -= Unit::kBlocks, unit++, second++) {
    const int n = static_cast<int>(min_of(left, Unit::kBlocks));
    for (int b = 0; b < n; b++, rows++) {
      const Unit* units[2] = {unit, second};
      for (int64_t i = 0; i < t.fetch_step; i++, fetch += 64) prefetch(fetch);
      // Many rows do not stay in the first-level cache from one pair of panels to the next.
      if constexpr (MR == kRowGroup)
        for (size_t i = 0; i < sizeof *rows; i += 64)
          _mm_prefetch(reinterpret_cast<const char*>(rows + 4) + i, _MM_HINT_T0);
#pragma GCC unroll 2
      for (int part = 0; part < Type::kParts; part++) {
        __m512i acc[MR][NC];
        for (int r = 0; r < MR; r++) {
          const int32_t* start = Type::kParts == 1 ? rows->start : rows->start_half[part];
          acc[r][0] = Type::kMins ? _mm512_setzero_si512() : _mm512_set1_epi32(start[r]);
          for (int c = 1; c < NC; c++) acc[r][c] = acc[r][0];
        }
#pragma GCC unroll 8
        for (int i = 0; i < kGroups; i++) {
          const int g = part * kGroups + i;
          __m512i w[NC];
          for (int c = 0; c < NC; c++) w[c] = Type::codes(*units[c], b, g);
          for (int r = 0; r < MR; r++) {
            const __m512i a = broadcast_codes(rows->codes[r] + g * 4);
            for (int c = 0; c < NC; c++) acc[r][c] = _mm512_dpbusd_epi32(acc[r][c], w[c], a);
          }
        }
        __m512 scale[NC];
        for (int c = 0; c < NC; c++) scale[c] = Type::scale(*units[c], b, part);
        for (int r = 0; r < MR; r++) {
          const __m512 d = _mm512_set1_ps(rows->d[r]);
          for (int c = 0; c < NC; c++)
            sums[r][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][c]), _mm512_mul_ps(scale[c], d),
                                         sums[r][c]);
        }
      }
      if constexpr (Type::kMins) {
        __m512 min[NC];
        for (int c = 0; c < NC; c++) min[c] = Type::min(*units[c], b);
        for (int r = 0; r < MR; r++)
          for (int c = 0; c < NC; c++)
            sums[r][c] = _mm512_fnmadd_ps(min[c], _mm512_set1_ps(rows->sum[r]), sums[r][c]);
      }
    }
  }
  finish(t, sums);
}

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
void run_q8(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_q8<Unit, 1, NC>, tile_q8<Unit, 2, NC>,
                                         tile_q8<Unit, 3, NC>, tile_q8<Unit, 4, NC>,
                                         tile_q8<Unit, 5, NC>, tile_q8<Unit, 6, NC>};
  kRuns[t.n_rows - 1](t);
}

template <class Unit, int NC>
void run_f32(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_f32<Unit, 1, NC>, tile_f32<Unit, 2, NC>,
                                         tile_f32<Unit, 3, NC>, tile_f32<Unit, 4, NC>,
                                         tile_f32<Unit, 5, NC>, tile_f32<Unit, 6, NC>};
  kRuns[t.n_rows - 1](t);
}

template <class Unit, class RowBlock, int NC>
void run(const Tile& t) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    run_q8<Unit, NC>(t);
  } else {
    run_f32<Unit, NC>(t);
  }
}

}  // namespace

void avx512_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                   const float* add, int64_t add_stride, int ith, int nth) {
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock)                                        \
  case WeightType::name:                                                               \
    return each_tile<Unit, RowBlock>(                                                  \
        weights, rows, out, out_stride, add, add_stride, ith, nth, [](const Tile& t) { \
          t.n_outputs > 16 ? run<Unit, RowBlock, 2>(t) : run<Unit, RowBlock, 1>(t);    \
        });
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
