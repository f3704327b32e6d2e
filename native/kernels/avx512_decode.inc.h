// What a packed quantised type says of its weights, in vectors of 64 codes and 16 outputs; for
// every order of the codes within a vector (see pack.cc).
#pragma once

#include <immintrin.h>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

__m512 half_to_float(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
__m512i load_codes(const uint8_t* p) { return _mm512_loadu_si512(p); }
__m512i bytes(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }

// What a packed type must say: group g of block b as unsigned bytes, and the scale of its codes.
// kParts sums of 8 / kParts groups per block have scales of their own. Codes are offset by 128
// unless kMins; where a type has fewer bits they are shifted up until the offset is 128, and the
// scale, exactly, down.
template <class Unit>
struct Decode;

template <>
struct Decode<PackedQ8_0> {
  static constexpr int kParts = 1;
  static constexpr bool kMins = false;
  static __m512i codes(const PackedQ8_0& u, int b, int g) { return load_codes(u.codes[b][g]); }
  static __m512 scale(const PackedQ8_0& u, int b, int) { return half_to_float(u.d[b]); }
};

template <>
struct Decode<PackedQ4_0> {
  static constexpr int kParts = 1;
  static constexpr bool kMins = false;
  static __m512i codes(const PackedQ4_0& u, int b, int g) {
    const __m512i v = load_codes(u.codes[b][g % 4]);
    return _mm512_and_si512(g < 4 ? _mm512_slli_epi16(v, 4) : v, bytes(0xf0));
  }
  static __m512 scale(const PackedQ4_0& u, int b, int) {
    return _mm512_mul_ps(half_to_float(u.d[b]), _mm512_set1_ps(0.0625f));
  }
};

__m512 times_half(const uint8_t* factors, const uint16_t* d) {
  const __m512i wide =
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(factors)));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(wide), half_to_float(d));
}

template <class Unit>
__m512i nibbles(const Unit& u, int b, int g) {
  const __m512i v = load_codes(u.codes[b][g % 4]);
  return _mm512_and_si512(g < 4 ? v : _mm512_srli_epi16(v, 4), bytes(0x0f));
}

template <>
struct Decode<PackedQ4_K> {
  static constexpr int kParts = 1;
  static constexpr bool kMins = true;
  static __m512i codes(const PackedQ4_K& u, int b, int g) { return nibbles(u, b, g); }
  static __m512 scale(const PackedQ4_K& u, int b, int) { return times_half(u.scales[b], u.d); }
  static __m512 min(const PackedQ4_K& u, int b) { return times_half(u.mins[b], u.dmin); }
};

template <>
struct Decode<PackedQ5_K> {
  static constexpr int kParts = 1;
  static constexpr bool kMins = true;
  static __m512i codes(const PackedQ5_K& u, int b, int g) {
    const __m512i h = load_codes(u.high[b]);
    const __m512i fifth = g < 4 ? _mm512_slli_epi16(h, static_cast<unsigned>(4 - g))
                                : _mm512_srli_epi16(h, static_cast<unsigned>(g - 4));
    // a | (b & c)
    return _mm512_ternarylogic_epi32(nibbles(u, b, g), fifth, bytes(0x10), 0xf8);
  }
  static __m512 scale(const PackedQ5_K& u, int b, int) { return times_half(u.scales[b], u.d); }
  static __m512 min(const PackedQ5_K& u, int b) { return times_half(u.mins[b], u.dmin); }
};

template <>
struct Decode<PackedQ6_K> {
  static constexpr int kParts = 2;
  static constexpr bool kMins = false;
  static __m512i codes(const PackedQ6_K& u, int b, int g) {
    const __m512i v = load_codes(u.codes[b][g % 4]), h = load_codes(u.high[b][g / 4]);
    const __m512i low = g < 4 ? _mm512_slli_epi16(v, 2) : _mm512_srli_epi16(v, 2);
    const __m512i high = _mm512_slli_epi16(h, static_cast<unsigned>(6 - g % 4 * 2));
    // c ? b : a, then the two lowest bits off.
    return _mm512_and_si512(_mm512_ternarylogic_epi32(low, high, bytes(0xc0), 0xd8), bytes(0xfc));
  }
  static __m512 scale(const PackedQ6_K& u, int b, int part) {
    const __m512i wide =
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(u.scales[b][part])));
    const __m512 quarter = _mm512_mul_ps(half_to_float(u.d), _mm512_set1_ps(0.25f));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(wide), quarter);
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
