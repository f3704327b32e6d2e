// Floats as BF16 pairs and as sums of two BF16 numbers; included like rows.inc.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace qwen3_embed::kernels {
namespace {

__m512i bf16_pairs(__m512 first, __m512 second) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
}

// 32 floats as the sum of two BF16 vectors.
struct Halves {
  __m512i high, low;
};
Halves halves(__m512 first, __m512 second) {
  const __m512i high = bf16_pairs(first, second);
  const auto shown = [](__m256i codes) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16));
  };
  // What is not finite is so in the high half already.
  return {high, bf16_pairs(_mm512_sub_ps(first, shown(_mm512_castsi512_si256(high))),
                           _mm512_sub_ps(second, shown(_mm512_extracti64x4_epi64(high, 1))))};
}

// Of 16 values and 16 more, one of each beside the other.
__m512i interleaved(__m512i pairs) {
  alignas(64) static constexpr uint16_t kInterleave[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kInterleave), pairs);
}

}  // namespace
}  // namespace qwen3_embed::kernels
