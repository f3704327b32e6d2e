// Packed weights as ARM's instructions take them: sixteen signed codes a vector, and the scales of
// four outputs.
#pragma once

#include <arm_neon.h>

#include "layout.h"

// A function over arrays of sums, which are registers only where it is part of its caller's loop.
#if defined(__GNUC__)
#define QWEN3_OVER_REGISTERS [[gnu::always_inline]] inline
#else
#define QWEN3_OVER_REGISTERS inline
#endif

namespace qwen3_embed::kernels {
namespace {

float32x4_t half_to_float(const uint16_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
// Four factors of a byte each times d.
float32x4_t times_half(const uint8_t* factors, const uint16_t* d) {
  uint32_t four;
  memcpy(&four, factors, sizeof four);
  const uint16x8_t wide = vmovl_u8(vcreate_u8(four));
  return vmulq_f32(vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide))), half_to_float(d));
}
float32x4_t times_half(const int8_t* factors, const uint16_t* d) {
  uint32_t four;
  memcpy(&four, factors, sizeof four);
  const int16x8_t wide = vmovl_s8(vcreate_s8(four));
  return vmulq_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), half_to_float(d));
}

template <int kBits>
uint8x16_t shifted_left(uint8x16_t a) {
  if constexpr (kBits == 0) return a;
  if constexpr (kBits > 0) return vshlq_n_u8(a, kBits);
  if constexpr (kBits < 0) return vshrq_n_u8(a, -kBits);
}

// The vector's sixteen codes in the low four bits, or in the high ones with zeros below.
template <bool kSecond>
uint8x16_t low_nibbles(const uint8_t* vector) {
  if constexpr (kSecond) return vshrq_n_u8(vld1q_u8(vector), 4);
  return vandq_u8(vld1q_u8(vector), vdupq_n_u8(0x0f));
}
template <bool kSecond>
uint8x16_t high_nibbles(const uint8_t* vector) {
  if constexpr (kSecond) return vandq_u8(vld1q_u8(vector), vdupq_n_u8(0xf0));
  return vshlq_n_u8(vld1q_u8(vector), 4);
}

// Where 16 codes of a block stand: at which byte of its codes, were each a byte, and at which byte
// of what they have beyond four bits. `turn`, a constant of the loop around: which of the eight
// codes that share such a byte they are (pack.cc); four and more are in the block's second half.
struct Sixteen {
  int at, high;
  const uint8_t* nibbles(const uint8_t (&vectors)[4][64]) const { return vectors[0] + at % 256; }
};

// codes(): a code times 2^kShift. kParts scales per block; of K-quants with minima, min().
template <class Unit>
struct Decode;

template <>
struct Decode<PackedQ8_0> {
  static constexpr int kShift = 0, kParts = 1;
  static constexpr bool kMins = false;
  template <int>
  static int8x16_t codes(const PackedQ8_0& u, int b, Sixteen s) {
    return vreinterpretq_s8_u8(vld1q_u8(u.codes[b][0] + s.at));
  }
  static float32x4_t scale(const PackedQ8_0& u, int b, int, int output) {
    return half_to_float(u.d[b] + output);
  }
};

template <>
struct Decode<PackedQ4_0> {
  static constexpr int kShift = 4, kParts = 1;
  static constexpr bool kMins = false;
  template <int turn>
  static int8x16_t codes(const PackedQ4_0& u, int b, Sixteen s) {
    return vreinterpretq_s8_u8(high_nibbles<turn >= 4>(s.nibbles(u.codes[b])));
  }
  static float32x4_t scale(const PackedQ4_0& u, int b, int, int output) {
    return half_to_float(u.d[b] + output);
  }
};

template <class Unit>
struct DecodeWithMins {
  static constexpr int kShift = 0, kParts = 1;
  static constexpr bool kMins = true;
  static float32x4_t scale(const Unit& u, int b, int, int output) {
    return times_half(u.scales[b] + output, u.d + output);
  }
  static float32x4_t min(const Unit& u, int b, int output) {
    return times_half(u.mins[b] + output, u.dmin + output);
  }
};

template <>
struct Decode<PackedQ4_K> : DecodeWithMins<PackedQ4_K> {
  template <int turn>
  static int8x16_t codes(const PackedQ4_K& u, int b, Sixteen s) {
    return vreinterpretq_s8_u8(low_nibbles<turn >= 4>(s.nibbles(u.codes[b])));
  }
};

template <>
struct Decode<PackedQ5_K> : DecodeWithMins<PackedQ5_K> {
  template <int turn>
  static int8x16_t codes(const PackedQ5_K& u, int b, Sixteen s) {
    const uint8x16_t fifth = shifted_left<4 - turn>(vld1q_u8(u.high[b] + s.high));
    return vreinterpretq_s8_u8(
        vbslq_u8(vdupq_n_u8(0x10), fifth, low_nibbles<turn >= 4>(s.nibbles(u.codes[b]))));
  }
};

template <>
struct Decode<PackedQ6_K> {
  static constexpr int kShift = 2, kParts = 2;
  static constexpr bool kMins = false;
  template <int turn>
  static int8x16_t codes(const PackedQ6_K& u, int b, Sixteen s) {
    const uint8x16_t top = shifted_left<6 - turn % 4 * 2>(vld1q_u8(u.high[b][turn / 4] + s.high));
    return vreinterpretq_s8_u8(vsriq_n_u8(top, high_nibbles<turn >= 4>(s.nibbles(u.codes[b])), 2));
  }
  static float32x4_t scale(const PackedQ6_K& u, int b, int part, int output) {
    return times_half(u.scales[b][part] + output, u.d + output);
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
