// What attention with BF16 weights shares; included like attention.inc.h.
#pragma once

#include <immintrin.h>

#include "attention.inc.h"

namespace qwen3_embed::kernels {
namespace {

// Weights (count, kTile) become pairs (count / 2, kTile) in the same place.
template <int NV>
static void pair_weights(float* p, int64_t count) {
  alignas(64) static constexpr uint16_t kInterleave[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i interleave = _mm512_load_si512(kInterleave);
  for (int64_t j = 0; j < count; j += 2)
    for (int l = 0; l < NV; l++) {
      const float* from = p + j * kTile + l * Vec::kLanes;
      const __m512 first = _mm512_loadu_ps(from);
      const __m512 second = j + 1 < count ? _mm512_loadu_ps(from + kTile) : _mm512_setzero_ps();
      const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
      _mm512_storeu_si512(p + j / 2 * kTile + l * Vec::kLanes,
                          _mm512_permutexvar_epi16(interleave, both));
    }
}

}  // namespace
}  // namespace qwen3_embed::kernels
