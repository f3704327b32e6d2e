// 8 floats, as the row and attention templates want them.
#pragma once

#include <immintrin.h>
#include <string.h>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

struct Vec {
  using F = __m256;
  using I = __m256i;  // 8 sums, or 8 pairs of 16-bit codes
  using Mask = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kStep =
      4;  // keys, or values of a head, in flight at once: kStep * 2 sums stay in registers

  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F a) { _mm256_storeu_ps(p, a); }
  static F set(float a) { return _mm256_set1_ps(a); }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F fms(F a, F b, F c) { return _mm256_fmsub_ps(a, b, c); }
  static F select(Mask mask, F yes, F no) { return _mm256_blendv_ps(no, yes, mask); }
  // Lanes whose limit is at least `position`.
  static Mask reaches(const int32_t* limits, int32_t position) {
    const __m256i limit = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(limits));
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, _mm256_set1_epi32(position - 1)));
  }

  // x[0 .. 8): `left`, a multiple of 8, is at least that.
  static F load_up_to(const float* x, int64_t) { return _mm256_loadu_ps(x); }
  static void store_codes(int16_t* codes, F a, int64_t) {
    const __m256i eight = _mm256_cvtps_epi32(a);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(codes),
        _mm_packs_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1)));
  }
  static I zeros() { return _mm256_setzero_si256(); }
  static I load_codes(const float* pairs) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs));
  }
  static I set_codes(const int32_t* pair) {
    int32_t value;
    memcpy(&value, pair, sizeof value);
    return _mm256_set1_epi32(value);
  }
  // Of each pair: sum + a0 b0 + a1 b1.
  static I add_products(I sum, I a, I b) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpwssd_epi32(sum, a, b);
#elif defined(__AVXVNNI__)
    return _mm256_dpwssd_avx_epi32(sum, a, b);
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
  }
  static F to_floats(I a) { return _mm256_cvtepi32_ps(a); }

  static float sum(F a) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }

  // 2^a, relative error below 2e-7; exactly 1 at 0; 0 below 2^-126. NaN stays NaN (max returns its
  // second operand then).
  static F exp2(F a) {
    a = _mm256_min_ps(_mm256_set1_ps(127.0f), _mm256_max_ps(_mm256_set1_ps(-127.0f), a));
    const F whole = _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const F f = _mm256_sub_ps(a, whole);
    F p = _mm256_set1_ps(0x1.41fbbcp-13f);
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0x1.5f3e54p-10f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0x1.3b2d4cp-7f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0x1.c6aee8p-5f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0x1.ebfbdcp-3f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0x1.62e430p-1f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0f));
    // The exponent field of 2^whole: 0, that is the number 0, for -127.
    const __m256i exponent =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
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
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i top = _mm256_setzero_si256();
    for (int i = 0; i < kBlock; i += 8)
      top = _mm256_max_epi32(
          top, _mm256_and_si256(magnitude, _mm256_castps_si256(_mm256_loadu_ps(x + i))));
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return static_cast<uint32_t>(
        _mm_cvtsi128_si32(_mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1))));
  }

  // 32 codes, and the sums of their halves.
  static void quantise(const float* x, float inverse, int8_t* codes, int32_t* sums) {
    const F scale = _mm256_set1_ps(inverse);
    __m256i eight[4];
    for (int i = 0; i < 4; i++)
      eight[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i * 8), scale));
    // Packing works within 128-bit halves; the permutation puts the groups of four back in order.
    const __m256i mixed = _mm256_packs_epi16(_mm256_packs_epi32(eight[0], eight[1]),
                                             _mm256_packs_epi32(eight[2], eight[3]));
    const __m256i q = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), q);
    // Within each half: fours, then pairs, then one.
    __m256i sum =
        _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
    sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0x4e));
    sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0xb1));
    sums[0] = _mm256_cvtsi256_si32(sum);
    sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(sum, 1));
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
