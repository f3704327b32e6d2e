// What the AVX-512 products share.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "matmul.inc.h"

namespace qwen3_embed::kernels {
namespace {

// The four bytes of a row that a lane multiplies: codes of 8 bits, or a pair of 16.
__m512i broadcast_codes(const void* four_bytes) {
  int32_t four;
  memcpy(&four, four_bytes, sizeof four);
  return _mm512_set1_epi32(four);
}

// Stores the tile's sums, as many as there are outputs.
template <int MR, int NC>
void finish(const Tile& t, __m512 (&sums)[MR][NC]) {
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

// Float products keep two sums, of even and of odd steps of k: with one row, a single chain of
// additions would wait for itself.
template <int MR, int NC>
void finish(const Tile& t, __m512 (&even)[MR][NC], const __m512 (&odd)[MR][NC]) {
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) even[r][c] = _mm512_add_ps(even[r][c], odd[r][c]);
  finish(t, even);
}

}  // namespace
}  // namespace qwen3_embed::kernels
