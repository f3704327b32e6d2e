#include <immintrin.h>

#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// vpmaddubsw adds pairs of byte products in saturating 16 bits. Codes of up to 6 bits leave room to
// add several groups there before widening: the pairs of kRun groups reach at most kRun · 2 ·
// (2^bits - 1) · 127 <= 32004.
template <int kBits>
struct Dot {
  static constexpr bool kUnsigned = true;
  static constexpr int kRun = kBits == 4 ? 8 : kBits == 5 ? 4 : 2;
  struct Sum {
    __m256i narrow, wide;
  };
  static Sum zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static __m256i prepare(__m256i codes) { return codes; }
  static __m256i widen(__m256i narrow) { return _mm256_madd_epi16(narrow, _mm256_set1_epi16(1)); }
  static void step(Sum& sum, __m256i codes, __m256i a, int group) {
    const __m256i pairs = _mm256_maddubs_epi16(codes, a);
    sum.narrow = group % kRun ? _mm256_add_epi16(sum.narrow, pairs) : pairs;
    if (kRun < 8 && group % kRun == kRun - 1)
      sum.wide = _mm256_add_epi32(sum.wide, widen(sum.narrow));
  }
  static __m256i total(const Sum& sum) { return kRun < 8 ? sum.wide : widen(sum.narrow); }
};

// Bytes would saturate (255 · 127 · 2 > 32767), so the sign moves to the activation: |code| <= 128,
// two products <= 32512.
template <>
struct Dot<8> {
  static constexpr bool kUnsigned = false;
  using Sum = __m256i;
  static Sum zero() { return _mm256_setzero_si256(); }
  static __m256i prepare(__m256i codes) { return _mm256_xor_si256(codes, _mm256_set1_epi8(-128)); }
  static void step(Sum& sum, __m256i codes, __m256i a, int) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(a, codes));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static __m256i total(Sum sum) { return sum; }
};

}  // namespace
}  // namespace qwen3_embed::kernels

#define QWEN3_MATMUL avx2_matmul
#include "avx2_matmul.inc.h"
