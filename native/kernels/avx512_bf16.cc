// Products with BF16 weights and rows: pairs of values of k at a time, summed in floats. Everything
// else as without BF16.
#include <immintrin.h>

#include <cstring>

#include "matmul.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

template <int MR, int NC>
void tile_bf16(const Tile& t) {
  const auto* rows = static_cast<const RowBlockBf16*>(t.rows);
  const auto* unit = static_cast<const PackedBf16*>(t.panel);
  const auto* second =
      reinterpret_cast<const PackedBf16*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  const char* fetch = t.fetch;
  __m512 sums[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) sums[r][c] = _mm512_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++, unit++, second++) {
    const PackedBf16* units[2] = {unit, second};
    for (int64_t i = 0; i < t.fetch_step; i++, fetch += 64) prefetch(fetch);
#pragma GCC unroll 4
    for (int k = 0; k < kBlock / 2; k++) {
      __m512bh w[NC];
      for (int c = 0; c < NC; c++)
        w[c] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(units[c]->values[k]));
      for (int r = 0; r < MR; r++) {
        int32_t pair;
        memcpy(&pair, rows->values[r] + k * 2, sizeof pair);
        const auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        for (int c = 0; c < NC; c++) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], w[c], a);
      }
    }
  }
  for (int c = 0; c < NC; c++) {
    const int n = t.n_outputs - c * 16;
    const auto mask = static_cast<__mmask16>(n >= 16 ? 0xffff : (1 << n) - 1);
    for (int r = 0; r < MR; r++) {
      __m512 sum = sums[r][c];
      if (t.add)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, t.add + r * t.add_stride + c * 16));
      _mm512_mask_storeu_ps(t.out + r * t.out_stride + c * 16, mask, sum);
    }
  }
}

template <int NC>
void run(const Tile& t) {
  switch (t.n_rows) {
    case 1:
      return tile_bf16<1, NC>(t);
    case 2:
      return tile_bf16<2, NC>(t);
    case 3:
      return tile_bf16<3, NC>(t);
    case 4:
      return tile_bf16<4, NC>(t);
    case 5:
      return tile_bf16<5, NC>(t);
    default:
      return tile_bf16<6, NC>(t);
  }
}

}  // namespace

void avx512_bf16_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                        const float* add, int64_t add_stride, int ith, int nth) {
  if (weights.type != WeightType::kBf16)
    return avx512_matmul(weights, rows, out, out_stride, add, add_stride, ith, nth);
  each_tile<PackedBf16, RowBlockBf16>(
      weights, rows, out, out_stride, add, add_stride, ith, nth,
      [](const Tile& t) { t.n_outputs > 16 ? run<2>(t) : run<1>(t); });
}

}  // namespace qwen3_embed::kernels
