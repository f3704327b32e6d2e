// Products on 32-byte vectors: 6 rows by 8 outputs in registers, or up to 3 rows by 16. Included
// after `Dot`, which says how unsigned codes meet signed activations.
#pragma once

#include <immintrin.h>

#include <cstring>
#include <type_traits>

#include "gated.inc.h"

namespace qwen3_embed::kernels {
namespace {

// Half a vector of the packed form: 8 outputs, 4 values of k each.
__m256i load_half(const uint8_t (&vector)[64], int half) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(vector + half * 32));
}
__m256 half_to_float(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
__m256i bytes(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }

// Codes of group g, outputs half * 8 … + 7; `kBits` wide, offset by 2^(kBits - 1) unless kMins;
// kParts scales per block.
template <class Unit>
struct Decode;

template <>
struct Decode<PackedQ8_0> {
  static constexpr int kBits = 8, kParts = 1;
  static constexpr bool kMins = false;
  static __m256i codes(const PackedQ8_0& u, int b, int g, int half) {
    return load_half(u.codes[b][g], half);
  }
  static __m256 scale(const PackedQ8_0& u, int b, int, int half) {
    return half_to_float(u.d[b] + half * 8);
  }
};

template <class Unit>
__m256i nibbles(const Unit& u, int b, int g, int half) {
  const __m256i v = load_half(u.codes[b][g % 4], half);
  return _mm256_and_si256(g < 4 ? v : _mm256_srli_epi16(v, 4), bytes(0x0f));
}

template <>
struct Decode<PackedQ4_0> {
  static constexpr int kBits = 4, kParts = 1;
  static constexpr bool kMins = false;
  static __m256i codes(const PackedQ4_0& u, int b, int g, int half) {
    return nibbles(u, b, g, half);
  }
  static __m256 scale(const PackedQ4_0& u, int b, int, int half) {
    return half_to_float(u.d[b] + half * 8);
  }
};

__m256 times_half(const uint8_t* factors, const uint16_t* d) {
  const __m256i wide =
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(factors)));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(wide), half_to_float(d));
}

template <>
struct Decode<PackedQ4_K> {
  static constexpr int kBits = 4, kParts = 1;
  static constexpr bool kMins = true;
  static __m256i codes(const PackedQ4_K& u, int b, int g, int half) {
    return nibbles(u, b, g, half);
  }
  static __m256 scale(const PackedQ4_K& u, int b, int, int half) {
    return times_half(u.scales[b] + half * 8, u.d + half * 8);
  }
  static __m256 min(const PackedQ4_K& u, int b, int half) {
    return times_half(u.mins[b] + half * 8, u.dmin + half * 8);
  }
};

template <>
struct Decode<PackedQ5_K> {
  static constexpr int kBits = 5, kParts = 1;
  static constexpr bool kMins = true;
  static __m256i codes(const PackedQ5_K& u, int b, int g, int half) {
    const __m256i h = load_half(u.high[b], half);
    const __m256i fifth = g < 4 ? _mm256_slli_epi16(h, 4 - g) : _mm256_srli_epi16(h, g - 4);
    return _mm256_or_si256(nibbles(u, b, g, half), _mm256_and_si256(fifth, bytes(0x10)));
  }
  static __m256 scale(const PackedQ5_K& u, int b, int, int half) {
    return times_half(u.scales[b] + half * 8, u.d + half * 8);
  }
  static __m256 min(const PackedQ5_K& u, int b, int half) {
    return times_half(u.mins[b] + half * 8, u.dmin + half * 8);
  }
};

template <>
struct Decode<PackedQ6_K> {
  static constexpr int kBits = 6, kParts = 2;
  static constexpr bool kMins = false;
  static __m256i codes(const PackedQ6_K& u, int b, int g, int half) {
    const __m256i h = load_half(u.high[b][g / 4], half);
    const __m256i top = g % 4 < 3 ? _mm256_slli_epi16(h, 4 - g % 4 * 2) : _mm256_srli_epi16(h, 2);
    return _mm256_or_si256(nibbles(u, b, g, half), _mm256_and_si256(top, bytes(0x30)));
  }
  static __m256 scale(const PackedQ6_K& u, int b, int part, int half) {
    const auto* factors = reinterpret_cast<const __m128i*>(u.scales[b][part] + half * 8);
    const __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64(factors));
    return _mm256_mul_ps(_mm256_cvtepi32_ps(wide), half_to_float(u.d + half * 8));
  }
};

// The four bytes of a row that a lane multiplies: codes of 8 bits, or a pair of 16.
__m256i broadcast_codes(const void* four_bytes) {
  int32_t four;
  memcpy(&four, four_bytes, sizeof four);
  return _mm256_set1_epi32(four);
}

// Eight outputs of one row, as many as there are.
void finish(const Tile& t, int r, int output, __m256 sum) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(t.n_outputs - output), lanes);
  if (t.add) sum = _mm256_add_ps(sum, _mm256_maskload_ps(t.add + r * t.add_stride + output, mask));
  _mm256_maskstore_ps(t.out + r * t.out_stride + output, mask, sum);
}

// The tile's MR rows by outputs [output, output + 8 NV).
template <class Unit, int MR, int NV>
void part_q8(const Tile& t, int output, int64_t fetch_step) {
  using Type = Decode<Unit>;
  constexpr int kGroups = 8 / Type::kParts;
  const auto* rows = static_cast<const RowBlockQ8*>(t.rows);
  const auto* unit = reinterpret_cast<const Unit*>(
      static_cast<const char*>(t.panel) + static_cast<size_t>(output / kPanel) * t.panel_bytes);
  const int half = output / 8 % 2;
  const char* fetch = t.fetch;
  __m256 sums[MR][NV];
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) sums[r][v] = _mm256_setzero_ps();

  for (int64_t left = t.n_blocks; left > 0; left -= Unit::kBlocks, unit++) {
    const int n = static_cast<int>(min_of(left, Unit::kBlocks));
    for (int b = 0; b < n; b++, rows++) {
      for (int64_t i = 0; i < fetch_step; i++, fetch += 64) prefetch(fetch);
#pragma GCC unroll 2
      for (int part = 0; part < Type::kParts; part++) {
        typename Dot<Type::kBits>::Sum acc[MR][NV];
        for (int r = 0; r < MR; r++)
          for (int v = 0; v < NV; v++) acc[r][v] = Dot<Type::kBits>::zero();
#pragma GCC unroll 8
        for (int i = 0; i < kGroups; i++) {
          const int g = part * kGroups + i;
          typename Dot<Type::kBits>::Codes w[NV];
          for (int v = 0; v < NV; v++)
            w[v] = Dot<Type::kBits>::prepare(Type::codes(*unit, b, g, half + v));
          for (int r = 0; r < MR; r++) {
            const __m256i a = broadcast_codes(rows->codes[r] + g * 4);
            for (int v = 0; v < NV; v++) Dot<Type::kBits>::step(acc[r][v], w[v], a, i);
          }
        }
        __m256 scale[NV];
        for (int v = 0; v < NV; v++) scale[v] = Type::scale(*unit, b, part, half + v);
        for (int r = 0; r < MR; r++) {
          const __m256 d = _mm256_set1_ps(rows->d[r]);
          // -128 Σ codes, brought down to this type's offset: exact, since 128 divides it.
          const int32_t* start = Type::kParts == 1 ? rows->start : rows->start_half[part];
          const __m256i offset = Type::kMins ? _mm256_setzero_si256()
                                             : _mm256_set1_epi32(start[r] >> (8 - Type::kBits));
          for (int v = 0; v < NV; v++) {
            const __m256i sum = _mm256_add_epi32(Dot<Type::kBits>::total(acc[r][v]), offset);
            sums[r][v] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(scale[v], d), sums[r][v]);
          }
        }
      }
      if constexpr (Type::kMins) {
        for (int v = 0; v < NV; v++) {
          const __m256 min = Type::min(*unit, b, half + v);
          for (int r = 0; r < MR; r++)
            sums[r][v] = _mm256_fnmadd_ps(min, _mm256_set1_ps(rows->sum[r]), sums[r][v]);
        }
      }
    }
  }
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) finish(t, r, output + v * 8, sums[r][v]);
}

// ---- 16-bit codes ----

__m256 bf16_to_float(const uint16_t* p) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

// Rows [row, row + MR) of the tile by outputs [output, output + 8 NV).
template <int MR, int NV>
void part_q16(const Tile& t, int row, int output, int64_t fetch_step) {
  const auto* rows = static_cast<const RowBlockQ16*>(t.rows);
  const auto* unit = reinterpret_cast<const PackedQ16*>(
      static_cast<const char*>(t.panel) + static_cast<size_t>(output / kPanel) * t.panel_bytes);
  const auto first = static_cast<int>(output % kPanel);
  const char* fetch = t.fetch;
  __m256 sums[MR][NV];
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) sums[r][v] = _mm256_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++) {
    for (int64_t i = 0; i < fetch_step; i++, fetch += 64) prefetch(fetch);
    const PackedQ16& weights = unit[block / 2];
    const auto b = static_cast<size_t>(block % 2);
    __m256i acc[MR][NV];
    for (int r = 0; r < MR; r++)
      for (int v = 0; v < NV; v++) acc[r][v] = _mm256_setzero_si256();
#pragma GCC unroll 16
    for (int pair = 0; pair < kBlock / 2; pair++) {
      __m256i w[NV];
      for (int v = 0; v < NV; v++)
        w[v] = _mm256_loadu_si256(
            reinterpret_cast<const __m256i*>(weights.codes[b][pair][first + v * 8]));
      for (int r = 0; r < MR; r++) {
        const __m256i a = broadcast_codes(rows->codes[row + r] + pair * 2);
        for (int v = 0; v < NV; v++) add_pairs(acc[r][v], w[v], a);
      }
    }
    for (int v = 0; v < NV; v++) {
      const __m256 scale = bf16_to_float(weights.d[b] + first + v * 8);
      for (int r = 0; r < MR; r++)
        sums[r][v] =
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc[r][v]),
                            _mm256_mul_ps(scale, _mm256_set1_ps(rows->d[row + r])), sums[r][v]);
    }
  }
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) finish(t, row + r, output + v * 8, sums[r][v]);
}

// ---- F32 weights: one multiply-add per value of k, in order ----

template <int MR, int NV>
void part_f32(const Tile& t, int output) {
  const auto* rows = static_cast<const RowBlockF32*>(t.rows);
  const auto* unit = reinterpret_cast<const PackedF32*>(
      static_cast<const char*>(t.panel) + static_cast<size_t>(output / kPanel) * t.panel_bytes);
  __m256 sums[MR][NV];
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) sums[r][v] = _mm256_setzero_ps();
  for (int64_t block = 0; block < t.n_blocks; block++, rows++, unit++) {
#pragma GCC unroll 4
    for (int k = 0; k < kBlock; k++) {
      __m256 w[NV];
      for (int v = 0; v < NV; v++) w[v] = _mm256_loadu_ps(unit->values[k] + v * 8);
      for (int r = 0; r < MR; r++) {
        const __m256 a = _mm256_set1_ps(rows->values[r][k]);
        for (int v = 0; v < NV; v++) sums[r][v] = _mm256_fmadd_ps(w[v], a, sums[r][v]);
      }
    }
  }
  for (int r = 0; r < MR; r++)
    for (int v = 0; v < NV; v++) finish(t, r, output + v * 8, sums[r][v]);
}

// The tile, cut so that its sums stay in 16 registers. The next panels are fetched by the first
// part only.
template <class Unit>
void tile_q8(const Tile& t) {
  using Part = void(const Tile& tile, int output, int64_t fetch_step);
  constexpr Part* kParts[kRowGroup] = {part_q8<Unit, 1, 2>, part_q8<Unit, 2, 2>,
                                       part_q8<Unit, 3, 2>, part_q8<Unit, 4, 1>,
                                       part_q8<Unit, 5, 1>, part_q8<Unit, 6, 1>};
  for (int output = 0; output < t.n_outputs; output += t.n_rows <= 3 ? 16 : 8)
    kParts[t.n_rows - 1](t, output, output == 0 ? t.fetch_step : 0);
}

// The same in halves of its rows.
void tile_q16(const Tile& t) {
  using Part = void(const Tile& tile, int row, int output, int64_t fetch_step);
  constexpr Part* kParts[] = {part_q16<1, 2>, part_q16<2, 2>, part_q16<3, 2>};
  for (int output = 0; output < t.n_outputs; output += 16)
    for (int row = 0; row < t.n_rows; row += 3)
      kParts[min_of(3, t.n_rows - row) - 1](t, row, output, output + row == 0 ? t.fetch_step : 0);
}

void tile_f32(const Tile& t) {
  using Part = void(const Tile& tile, int output);
  constexpr Part* kParts[kRowGroup] = {part_f32<1, 2>, part_f32<2, 2>, part_f32<3, 2>,
                                       part_f32<4, 2>, part_f32<5, 2>, part_f32<6, 2>};
  for (int output = 0; output < t.n_outputs; output += 16) kParts[t.n_rows - 1](t, output);
}

template <class Unit, class RowBlock>
void tile(const Tile& t) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    tile_q8<Unit>(t);
  } else if constexpr (std::is_same_v<RowBlock, RowBlockQ16>) {
    tile_q16(t);
  } else {
    tile_f32(t);
  }
}

}  // namespace

// Two symbols per instruction set, named by the source that includes this.
void QWEN3_MATMUL(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                  const float* add, int64_t add_stride, int ith, int nth) {
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock)                                                 \
  case WeightType::name:                                                                        \
    return each_tile<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride, ith, nth, \
                                     tile<Unit, RowBlock>);
    QWEN3_WEIGHT_TYPES_Q16(X)
#undef X
  }
}

void QWEN3_MATMUL_SWIGLU(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                         int ith, int nth) {
  switch (gate.type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return each_gated_tile<Unit, RowBlock>(gate, up, rows, out, ith, nth, tile<Unit, RowBlock>);
    QWEN3_WEIGHT_TYPES_Q16(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
