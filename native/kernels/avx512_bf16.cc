// Products with BF16 weights and rows: pairs of values of k at a time, summed in floats. Everything
// else as without BF16.
#include <immintrin.h>

#include <cstring>

#include "vec_avx512.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type it is written over.
#include "codes_stepped.inc.h"
// And these after both.
#include "avx512_tile.inc.h"
#include "gated.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

template <int MR, int NC>
void step(const PackedBf16* const (&units)[2], const RowBlockBf16& rows, int pair,
          __m512 (&sums)[MR][NC]) {
  __m512bh w[NC];
  for (int c = 0; c < NC; c++)
    w[c] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(units[c]->values[pair]));
  for (int r = 0; r < MR; r++) {
    const auto a = reinterpret_cast<__m512bh>(broadcast_codes(rows.values[r] + pair * 2));
    for (int c = 0; c < NC; c++) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], w[c], a);
  }
}

template <int MR, int NC>
void tile_bf16(const Tile& t) {
  const auto* rows = static_cast<const RowBlockBf16*>(t.rows);
  const auto* unit = static_cast<const PackedBf16*>(t.panel);
  const auto* second =
      reinterpret_cast<const PackedBf16*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  __m512 even[MR][NC], odd[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) even[r][c] = odd[r][c] = _mm512_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++, unit++, second++) {
    const PackedBf16* units[2] = {unit, second};
#pragma GCC unroll 2
    for (int pair = 0; pair < kBlock / 2; pair += 2) {
      step(units, *rows, pair, even);
      step(units, *rows, pair + 1, odd);
    }
  }
  finish(t, even, odd);
}

template <int NC>
void run_width(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_bf16<1, NC>, tile_bf16<2, NC>, tile_bf16<3, NC>,
                                         tile_bf16<4, NC>, tile_bf16<5, NC>, tile_bf16<6, NC>};
  kRuns[t.n_rows - 1](t);
}

void run(const Tile& t) { t.n_outputs > 16 ? run_width<2>(t) : run_width<1>(t); }

}  // namespace

void avx512_bf16_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                        const float* add, int64_t add_stride, int ith, int nth) {
  if (weights.type != WeightType::kBf16)
    return avx512_matmul(weights, rows, out, out_stride, add, add_stride, ith, nth);
  each_tile<PackedBf16, RowBlockBf16>(weights, rows, out, out_stride, add, add_stride, ith, nth,
                                      run);
}

void avx512_bf16_matmul_swiglu(const Weights& gate, const Weights& up, const Rows& rows,
                               const Rows& out, int ith, int nth) {
  if (gate.type != WeightType::kBf16) return avx512_matmul_swiglu(gate, up, rows, out, ith, nth);
  each_gated_tile<PackedBf16, RowBlockBf16>(gate, up, rows, out, ith, nth, run);
}

}  // namespace qwen3_embed::kernels
