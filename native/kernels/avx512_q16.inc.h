// Products of 16-bit codes, two of k an instruction lane, where floats have one; included like
// avx512_tile.inc.h.
#pragma once

#include <immintrin.h>

#include "avx512_tile.inc.h"

namespace qwen3_embed::kernels {
namespace {

__m512 bf16_to_float(const uint16_t* p) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

template <int MR, int NC>
void tile_q16(const Tile& t) {
  const auto* rows = static_cast<const RowBlockQ16*>(t.rows);
  const auto* unit = static_cast<const PackedQ16*>(t.panel);
  const auto* second =
      reinterpret_cast<const PackedQ16*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  const char* fetch = t.fetch;
  __m512 sums[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) sums[r][c] = _mm512_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++) {
    const PackedQ16* units[2] = {unit + block / 2, second + block / 2};
    const auto b = static_cast<size_t>(block % 2);
    for (int64_t i = 0; i < t.fetch_step; i++, fetch += 64) prefetch(fetch);
    __m512i acc[MR][NC];
    for (int r = 0; r < MR; r++)
      for (int c = 0; c < NC; c++) acc[r][c] = _mm512_setzero_si512();
#pragma GCC unroll 16
    for (int pair = 0; pair < kBlock / 2; pair++) {
      __m512i w[NC];
      for (int c = 0; c < NC; c++) w[c] = _mm512_load_si512(units[c]->codes[b][pair]);
      for (int r = 0; r < MR; r++) {
        const __m512i a = broadcast_codes(rows->codes[r] + pair * 2);
        for (int c = 0; c < NC; c++) acc[r][c] = _mm512_dpwssd_epi32(acc[r][c], w[c], a);
      }
    }
    __m512 scale[NC];
    for (int c = 0; c < NC; c++) scale[c] = bf16_to_float(units[c]->d[b]);
    for (int r = 0; r < MR; r++) {
      const __m512 d = _mm512_set1_ps(rows->d[r]);
      for (int c = 0; c < NC; c++)
        sums[r][c] =
            _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][c]), _mm512_mul_ps(scale[c], d), sums[r][c]);
    }
  }
  finish(t, sums);
}

template <int NC>
void run_q16_width(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_q16<1, NC>, tile_q16<2, NC>, tile_q16<3, NC>,
                                         tile_q16<4, NC>, tile_q16<5, NC>, tile_q16<6, NC>};
  kRuns[t.n_rows - 1](t);
}

void run_q16(const Tile& t) { t.n_outputs > 16 ? run_q16_width<2>(t) : run_q16_width<1>(t); }

}  // namespace
}  // namespace qwen3_embed::kernels
