// 4 floats of 64-bit ARM, as the row and attention templates want them.
#pragma once

#include <arm_neon.h>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

struct Vec {
  using F = float32x4_t;
  using Mask = uint32x4_t;
  static constexpr int kLanes = 4;
  static constexpr int kStep =
      8;  // keys, or values of a head, in flight at once: kStep * 2 sums stay in registers

  static F load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, F a) { vst1q_f32(p, a); }
  static F set(float a) { return vdupq_n_f32(a); }
  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F sub(F a, F b) { return vsubq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }
  // NaN where either is.
  static F max(F a, F b) { return vmaxq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static F fms(F a, F b, F c) { return vfmaq_f32(vnegq_f32(c), a, b); }
  static F select(Mask mask, F yes, F no) { return vbslq_f32(mask, yes, no); }
  // Lanes whose limit is at least `position`.
  static Mask reaches(const int32_t* limits, int32_t position) {
    return vcgeq_s32(vld1q_s32(limits), vdupq_n_s32(position));
  }

  static float sum(F a) { return vaddvq_f32(a); }

  // 2^a, relative error below 2e-7; exactly 1 at 0; 0 below 2^-126. NaN stays NaN.
  static F exp2(F a) {
    a = vminq_f32(vdupq_n_f32(127.0f), vmaxq_f32(vdupq_n_f32(-127.0f), a));
    // Adding 1.5 · 2^23 rounds to a whole number, which then stands in the low bits: two additions
    // that every unit does, where rounding and converting wait for the one that can.
    const F large = vdupq_n_f32(0x1.8p23f);
    const F shifted = vaddq_f32(a, large);
    const F f = vsubq_f32(a, vsubq_f32(shifted, large));
    F p = vdupq_n_f32(0x1.41fbbcp-13f);
    p = vfmaq_f32(vdupq_n_f32(0x1.5f3e54p-10f), p, f);
    p = vfmaq_f32(vdupq_n_f32(0x1.3b2d4cp-7f), p, f);
    p = vfmaq_f32(vdupq_n_f32(0x1.c6aee8p-5f), p, f);
    p = vfmaq_f32(vdupq_n_f32(0x1.ebfbdcp-3f), p, f);
    p = vfmaq_f32(vdupq_n_f32(0x1.62e430p-1f), p, f);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, f);
    // 2^whole by its exponent field: 0, that is the number 0, for -127.
    const uint32x4_t exponent = vaddq_u32(vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23),
                                          vdupq_n_u32(uint32_t{127} << 23));
    return vmulq_f32(p, vreinterpretq_f32_u32(exponent));
  }

  // Rows of `from` (stride in floats) become columns of `to`, 4 by 4.
  static void transpose4(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    const F a = vld1q_f32(from), b = vld1q_f32(from + from_stride),
            c = vld1q_f32(from + 2 * from_stride), d = vld1q_f32(from + 3 * from_stride);
    const F ac_low = vzip1q_f32(a, c), ac_high = vzip2q_f32(a, c);
    const F bd_low = vzip1q_f32(b, d), bd_high = vzip2q_f32(b, d);
    vst1q_f32(to, vzip1q_f32(ac_low, bd_low));
    vst1q_f32(to + to_stride, vzip2q_f32(ac_low, bd_low));
    vst1q_f32(to + 2 * to_stride, vzip1q_f32(ac_high, bd_high));
    vst1q_f32(to + 3 * to_stride, vzip2q_f32(ac_high, bd_high));
  }

  // Bits of the largest magnitude of 32 values. Compared as integers, so that NaN counts as the
  // largest.
  static uint32_t largest(const float* x) {
    uint32x4_t top = vdupq_n_u32(0);
    for (int i = 0; i < kBlock; i += 4)
      top = vmaxq_u32(top, vreinterpretq_u32_f32(vabsq_f32(vld1q_f32(x + i))));
    return vmaxvq_u32(top);
  }

  // 32 codes, and the sums of their halves.
  static void quantise(const float* x, float inverse, int8_t* codes, int32_t* sums) {
    for (int half = 0; half < 2; half++, x += 16, codes += 16) {
      int32x4_t four[4];
      for (int i = 0; i < 4; i++)
        four[i] = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i * 4), inverse));
      const int16x8_t low = vqmovn_high_s32(vqmovn_s32(four[0]), four[1]);
      const int16x8_t high = vqmovn_high_s32(vqmovn_s32(four[2]), four[3]);
      const int8x16_t q = vqmovn_high_s16(vqmovn_s16(low), high);
      vst1q_s8(codes, q);
      sums[half] = vaddlvq_s8(q);
    }
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
