// 16 floats, as the row and attention templates want them.
#pragma once

#include <immintrin.h>
#include <string.h>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

struct Vec {
  using F = __m512;
  using I = __m512i;  // 16 sums, or 16 pairs of 16-bit codes
  using Mask = __mmask16;
  static constexpr int kLanes = 16;
  static constexpr int kStep =
      8;  // keys, or values of a head, in flight at once: kStep * 2 sums stay in registers

  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
  static F set(float a) { return _mm512_set1_ps(a); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F fms(F a, F b, F c) { return _mm512_fmsub_ps(a, b, c); }
  static F select(Mask mask, F yes, F no) { return _mm512_mask_mov_ps(no, mask, yes); }
  // Lanes whose limit is at least `position`.
  static Mask reaches(const int32_t* limits, int32_t position) {
    return _mm512_cmpge_epi32_mask(_mm512_loadu_si512(limits), _mm512_set1_epi32(position));
  }

  // x[0 .. left), at most 16 and zeros behind; left is a multiple of 8.
  static F load_up_to(const float* x, int64_t left) {
    return left >= 16 ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(0xff, x);
  }
  static void store_codes(int16_t* codes, F a, int64_t left) {
    _mm256_mask_storeu_epi16(codes, left >= 16 ? 0xffff : 0xff,
                             _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(a)));
  }
  static I zeros() { return _mm512_setzero_si512(); }
  static I load_codes(const float* pairs) { return _mm512_loadu_si512(pairs); }
  static I set_codes(const int32_t* pair) {
    int32_t value;
    memcpy(&value, pair, sizeof value);
    return _mm512_set1_epi32(value);
  }
  // Of each pair: sum + a0 b0 + a1 b1.
  static I add_products(I sum, I a, I b) { return _mm512_dpwssd_epi32(sum, a, b); }
  static F to_floats(I a) { return _mm512_cvtepi32_ps(a); }

  static float sum(F a) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }

  // 2^a, relative error below 2e-7; exactly 1 at 0. NaN stays NaN (max returns its second operand
  // then).
  static F exp2(F a) {
    a = _mm512_min_ps(_mm512_set1_ps(128.0f), _mm512_max_ps(_mm512_set1_ps(-150.0f), a));
    const F whole = _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const F f = _mm512_sub_ps(a, whole);
    F p = _mm512_set1_ps(0x1.41fbbcp-13f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.5f3e54p-10f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.3b2d4cp-7f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.c6aee8p-5f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.ebfbdcp-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.62e430p-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, whole);
  }

  // Rows of `from` (stride in floats) become columns of `to`, 4 by 4.
  static void transpose4(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + from_stride),
           c = _mm_loadu_ps(from + 2 * from_stride), d = _mm_loadu_ps(from + 3 * from_stride);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + to_stride, b);
    _mm_storeu_ps(to + 2 * to_stride, c);
    _mm_storeu_ps(to + 3 * to_stride, d);
  }

  // Bits of the largest magnitude of 32 values. Compared as integers, so that NaN counts as the
  // largest.
  static uint32_t largest(const float* x) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    return static_cast<uint32_t>(_mm512_reduce_max_epi32(_mm512_max_epi32(
        _mm512_and_si512(magnitude, _mm512_castps_si512(_mm512_loadu_ps(x))),
        _mm512_and_si512(magnitude, _mm512_castps_si512(_mm512_loadu_ps(x + 16))))));
  }

  // 32 codes, and the sums of their halves.
  static void quantise(const float* x, float inverse, int8_t* codes, int32_t* sums) {
    const F scale = _mm512_set1_ps(inverse);
    const __m128i low =
        _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), scale)));
    const __m128i high =
        _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16), scale)));
    const __m256i q = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), q);
    // Within each half: fours, then pairs, then one.
    __m256i sum = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), q);
    sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0x4e));
    sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0xb1));
    sums[0] = _mm256_cvtsi256_si32(sum);
    sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(sum, 1));
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
