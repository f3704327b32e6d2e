#include <immintrin.h>

#include "vec_avx2.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type it is written over.
#include "codes_plain.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// GCC would put off the additions of a block to its end, with every product on the stack until
// then: a quarter of the time. Where sums of 16 and of 32 bits stand side by side the registers do
// not suffice, and that is faster.
void add_now(__m256i& sum) {
#if defined(__GNUC__)
  asm("" : "+x"(sum));
#else
  (void)sum;
#endif
}

// Of each pair of 16-bit codes: sum + w0 a0 + w1 a1.
void add_pairs(__m256i& sum, __m256i w, __m256i a) {
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(w, a));
  add_now(sum);
}

// vpmaddubsw adds pairs of byte products in saturating 16 bits. Codes of up to 6 bits leave room to
// add several groups there before widening: the pairs of kRun groups reach at most kRun · 2 ·
// (2^bits - 1) · 127 <= 32004.
template <int kBits>
struct Dot {
  static constexpr int kRun = kBits == 4 ? 8 : kBits == 5 ? 4 : 2;
  struct Sum {
    __m256i narrow, wide;
  };
  using Codes = __m256i;
  static Sum zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Codes prepare(__m256i codes) { return codes; }
  static __m256i widen(__m256i narrow) { return _mm256_madd_epi16(narrow, _mm256_set1_epi16(1)); }
  static void step(Sum& sum, Codes codes, __m256i a, int group) {
    const __m256i pairs = _mm256_maddubs_epi16(codes, a);
    sum.narrow = group % kRun ? _mm256_add_epi16(sum.narrow, pairs) : pairs;
    if (kRun == 8) add_now(sum.narrow);
    if (kRun < 8 && group % kRun == kRun - 1)
      sum.wide = _mm256_add_epi32(sum.wide, widen(sum.narrow));
  }
  static __m256i total(const Sum& sum) { return kRun < 8 ? sum.wide : widen(sum.narrow); }
};

// Bytes would saturate (255 · 127 · 2 > 32767), so both halves of a code are multiplied apart,
// eight groups of each in 16 bits: 8 · 2 · 15 · 127 = 30480.
template <>
struct Dot<8> {
  struct Codes {
    __m256i low, high;
  };
  struct Sum {
    __m256i low, high;
  };
  static Sum zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Codes prepare(__m256i codes) {
    const __m256i half = _mm256_set1_epi8(0x0f);
    return {_mm256_and_si256(codes, half), _mm256_and_si256(_mm256_srli_epi16(codes, 4), half)};
  }
  static void step(Sum& sum, Codes codes, __m256i a, int) {
    sum.low = _mm256_add_epi16(sum.low, _mm256_maddubs_epi16(codes.low, a));
    sum.high = _mm256_add_epi16(sum.high, _mm256_maddubs_epi16(codes.high, a));
    add_now(sum.low);
    add_now(sum.high);
  }
  static __m256i total(Sum sum) {
    return _mm256_add_epi32(_mm256_madd_epi16(sum.low, _mm256_set1_epi16(1)),
                            _mm256_madd_epi16(sum.high, _mm256_set1_epi16(16)));
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels

#define QWEN3_MATMUL avx2_matmul
#define QWEN3_MATMUL_SWIGLU avx2_matmul_swiglu
#include "avx2_matmul.inc.h"
