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

// Of each pair of 16-bit codes: sum + w0 a0 + w1 a1.
void add_pairs(__m256i& sum, __m256i w, __m256i a) { sum = Vec::add_products(sum, w, a); }

template <int>
struct Dot {
  using Codes = __m256i;
  using Sum = __m256i;
  static Sum zero() { return _mm256_setzero_si256(); }
  static Codes prepare(__m256i codes) { return codes; }
  static void step(Sum& sum, Codes codes, __m256i a, int) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    sum = _mm256_dpbusd_epi32(sum, codes, a);
#else
    sum = _mm256_dpbusd_avx_epi32(sum, codes, a);
#endif
  }
  static __m256i total(Sum sum) { return sum; }
};

}  // namespace
}  // namespace qwen3_embed::kernels

#define QWEN3_MATMUL avx2_vnni_matmul
#define QWEN3_MATMUL_SWIGLU avx2_vnni_matmul_swiglu
#include "avx2_matmul.inc.h"
