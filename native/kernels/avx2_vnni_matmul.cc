#include <immintrin.h>

#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

template <int>
struct Dot {
  static constexpr bool kUnsigned = true;
  using Sum = __m256i;
  static Sum zero() { return _mm256_setzero_si256(); }
  static __m256i prepare(__m256i codes) { return codes; }
  static void step(Sum& sum, __m256i codes, __m256i a, int) {
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
#include "avx2_matmul.inc.h"
