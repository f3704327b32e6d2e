// Compiled for processors that multiply small matrices; what others lack is not called.
#include <arm_neon.h>

#include <cstring>

#include "kernels/kernels.h"
#include "roofline.h"

namespace {

// Chains enough for four units of a latency of four.
constexpr int kRounds = 20000, kChains = 16;

template <class Sum, class Step>
void round_of(Sum zero, Step step) {
  Sum sums[kChains];
  for (Sum& sum : sums) sum = zero;
  for (int i = 0; i < kRounds; i++)
    for (Sum& sum : sums) {
      sum = step(sum);
      __asm__ volatile("" : "+w"(sum));
    }
}

void dotprod_round() {
  const int8x16_t a = vdupq_n_s8(3);
  round_of(vdupq_n_s32(0), [&](int32x4_t sum) { return vdotq_s32(sum, a, a); });
}

void matrix_round() {
  const int8x16_t a = vdupq_n_s8(3);
  round_of(vdupq_n_s32(0), [&](int32x4_t sum) { return vmmlaq_s32(sum, a, a); });
}

void float_round() {
  const float32x4_t a = vdupq_n_f32(0.5f);
  round_of(vdupq_n_f32(0), [&](float32x4_t sum) { return vfmaq_f32(sum, a, a); });
}

}  // namespace

double peak_int8_gops() {
  using qwen3_embed::kernels::find;
  if (find("neon-i8mm")) return best_rate(2.0 * 32 * kChains * kRounds, matrix_round);
  if (find("neon-dotprod")) return best_rate(2.0 * 16 * kChains * kRounds, dotprod_round);
  return 0;
}
double peak_float_gops() { return best_rate(2.0 * 4 * kChains * kRounds, float_round); }
double peak_bf16_gops() { return 0; }
