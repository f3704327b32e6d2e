// Attention with values and weights as BF16, two products an instruction lane.
#include "vec_avx512.h"
// After the vector type they are written over.
#include "attention_bf16.inc.h"
#include "attention_int16.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

__m512bh bf16(__m512i pairs) { return reinterpret_cast<__m512bh>(pairs); }

// Values stand as (head_dim / 16, 32, 16) pairs of neighbouring keys, the earlier in the lower
// half.
struct Bf16Values {
  static_assert(16 % kStep == 0, "a step does not cross two panels");

  static void put(const float* v, int64_t head_dim, int64_t j, float* values) {
    float* pairs = values + j / 2 * 16;
    for (int64_t d = 0; d < head_dim; d += 16, pairs += kPanelPairs) {
      const auto codes =
          reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(Vec::load_up_to(v + d, head_dim - d)));
      __m512i pair = _mm512_cvtepu16_epi32(codes);
      // A last value without a neighbour is left with 0 beside it.
      if (j % 2) pair = _mm512_or_si512(_mm512_loadu_si512(pairs), _mm512_slli_epi32(pair, 16));
      _mm512_storeu_si512(pairs, pair);
    }
  }

  static void close(int64_t, int64_t, float*) {}

  template <int NV>
  static void accumulate(const float* v, float* p, int64_t head_dim, int64_t count,
                         const __m512 (&rescale)[NV], float* o) {
    const int64_t n_pairs = ceil_div(count, 2);
    pair_weights<NV>(p, count);
    for (int64_t d = 0; d < head_dim; d += kStep, o += kStep * kTile) {
      const float* pairs = v + d / 16 * kPanelPairs + d % 16;
      __m512 sums[kStep][NV];
      for (int i = 0; i < kStep; i++)
        for (int l = 0; l < NV; l++)
          sums[i][l] = _mm512_mul_ps(_mm512_loadu_ps(o + i * kTile + l * Vec::kLanes), rescale[l]);
      for (int64_t j = 0; j < n_pairs; j++) {
        __m512bh weights[NV];
        for (int l = 0; l < NV; l++)
          weights[l] = bf16(_mm512_loadu_si512(p + j * kTile + l * Vec::kLanes));
        for (int i = 0; i < kStep; i++) {
          int32_t pair;
          memcpy(&pair, pairs + j * 16 + i, sizeof pair);
          for (int l = 0; l < NV; l++)
            sums[i][l] = _mm512_dpbf16_ps(sums[i][l], bf16(_mm512_set1_epi32(pair)), weights[l]);
        }
      }
      for (int i = 0; i < kStep; i++)
        for (int l = 0; l < NV; l++) _mm512_storeu_ps(o + i * kTile + l * Vec::kLanes, sums[i][l]);
    }
  }

 private:
  static constexpr int64_t kPanelPairs = kKeys / 2 * 16;
};

}  // namespace

void avx512_bf16_attention(const Attention& a) { attention<Int16Keys, Bf16Values>(a); }

}  // namespace qwen3_embed::kernels
