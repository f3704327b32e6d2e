// How weights stand in a GGUF file, how they stand packed, and how rows of activations stand.
//
// Included by sources compiled for different instruction sets, so everything has internal linkage.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kPanel = 16;    // outputs that stand together
constexpr int kBlock = 32;        // codes under one activation scale
constexpr int kSuperBlock = 256;  // codes under one K-quant super scale
constexpr int kRowGroup = 6;      // rows interleaved block by block: the register tile's height

// ---- as in the file (sizes are part of the format) ----

struct SourceQ8_0 {
  uint16_t d;
  int8_t codes[32];
};
static_assert(sizeof(SourceQ8_0) == 34, "Q8_0");

struct SourceQ4_0 {
  uint16_t d;
  uint8_t codes[16];  // value i in the low nibble of i, value i + 16 in its high nibble; minus 8
};
static_assert(sizeof(SourceQ4_0) == 18, "Q4_0");

struct SourceQ4_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];  // eight 6-bit scales and eight 6-bit minima
  uint8_t codes[128];  // per 64 values: first 32 in low nibbles, next 32 in high
};
static_assert(sizeof(SourceQ4_K) == 144, "Q4_K");

struct SourceQ5_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t high[32];  // bit b of byte i: fifth bit of value 32 b + i
  uint8_t codes[128];
};
static_assert(sizeof(SourceQ5_K) == 176, "Q5_K");

struct SourceQ6_K {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];  // one per 16 values
  uint16_t d;
};
static_assert(sizeof(SourceQ6_K) == 210, "Q6_K");

// ---- packed: one unit is 16 outputs over a stretch of k ----
//
// Codes stand in vectors of 64 bytes, [16 outputs][4 values of k]: what one dot-of-four-bytes
// instruction eats. A block of 32 values is 8 such vectors, called groups 0..7. Where codes are
// nibbles, vector v holds group v in its low nibbles and group v + 4 in its high ones. Sets may
// take the same bytes in another order, and codes that are not moved up to begin at zero (pack.cc).

struct PackedQ8_0 {
  static constexpr int kBlocks = 2;  // two blocks, so that every vector is aligned
  uint16_t d[2][16];
  uint8_t codes[2][8][64];  // code + 128
};
static_assert(sizeof(PackedQ8_0) == 2 * 16 * 34, "no larger than the source");

struct PackedQ4_0 {
  static constexpr int kBlocks = 2;
  uint16_t d[2][16];
  uint8_t codes[2][4][64];  // code + 8
};
static_assert(sizeof(PackedQ4_0) == 2 * 16 * 18, "no larger than the source");

struct PackedQ4_K {
  static constexpr int kBlocks = 8;
  uint16_t d[16];
  uint16_t dmin[16];
  uint8_t scales[8][16];
  uint8_t mins[8][16];
  uint8_t codes[8][4][64];
};
static_assert(sizeof(PackedQ4_K) == 16 * 148, "1.028 times the source");

struct PackedQ5_K {
  static constexpr int kBlocks = 8;
  uint16_t d[16];
  uint16_t dmin[16];
  uint8_t scales[8][16];
  uint8_t mins[8][16];
  uint8_t codes[8][4][64];
  uint8_t high[8][64];  // bit g: fifth bit in group g
};
static_assert(sizeof(PackedQ5_K) == 16 * 180, "1.023 times the source");

struct PackedQ6_K {
  static constexpr int kBlocks = 8;
  uint16_t d[16];
  uint16_t unused[16];
  int8_t scales[8][2][16];
  uint8_t codes[8][4][64];  // low four bits of code + 32
  uint8_t high[8][2][64];   // bits 2 i, 2 i + 1 of vector h: top two bits in group 4 h + i
};
static_assert(sizeof(PackedQ6_K) == 16 * 212, "1.0095 times the source");

// F16 and BF16 weights for sets that multiply 16-bit codes in pairs. 32 values are codes times d,
// the codes of 16 bits and together no longer than kQ16Length: then no sum of products of two
// blocks leaves 31 bits, by Cauchy and Schwarz: (46330 + √32 / 2)² < 2³¹. Of weights, d is a BF16
// number, rounded up.
constexpr float kQ16Length = 46330.0f, kQ16Largest = 32767.0f;

struct PackedQ16 {
  static constexpr int kBlocks = 2;
  uint16_t d[2][16];
  int16_t codes[2][16][16][2];  // [k / 2][output][k % 2]
};
static_assert(sizeof(PackedQ16) == 33 * 64, "1.032 times the source");

// Float units cover one block of k, like the others, so that one loop serves all.
struct PackedF32 {
  static constexpr int kBlocks = 1;
  float values[32][16];
};
struct PackedF16 {
  static constexpr int kBlocks = 1;
  uint16_t values[32][16];
};
struct PackedBf16 {
  static constexpr int kBlocks = 1;
  uint16_t values[16][16][2];  // [k / 2][output][k % 2]
};

// ---- rows: [ceil(m / 6)][k / 32] of these, but for RowBlockSteps ----

struct RowBlockQ8 {
  int8_t codes[kRowGroup][kBlock];
  float d[kRowGroup];
  // Weights enter as code + 128; starting a sum at -128 Σ codes takes that back. Of the whole block
  // and of its halves: |sum| stays below 2^20, far from int32's end and exact in a float.
  int32_t start[kRowGroup];
  int32_t start_half[2][kRowGroup];
  float sum[kRowGroup];  // d Σ codes, for types with a minimum
  int32_t unused[2];
};
static_assert(sizeof(RowBlockQ8) == 320, "five cache lines");

// The same for sets that make the product of scales two look-ups and a sum (avx512_codes.inc.h) and
// go through all rows some blocks at a time: [k / 32][ceil(m / 6)] of these. The scale d is
// 2^e (1 + coarse / 16 + fine / 256), where 2^e stands in `origin`: 1.5 · 2^23 · 2^e. A sum of
// codes that starts at origin's bits is, read as a float, origin + 2^e sum: no conversion, and the
// multiplication by 2^e is done.
constexpr int kScaleSteps = 16;

struct RowBlockSteps {
  int8_t codes[kRowGroup][kBlock];
  int32_t start[kRowGroup];          // origin's bits - 128 Σ codes, of the block
  int32_t start_half[2][kRowGroup];  // and of its halves
  float origin[kRowGroup];
  float mantissa[kRowGroup];  // 1 + coarse / 16 + fine / 256
  int32_t coarse[kRowGroup];
  int32_t fine[kRowGroup];
  float sum[kRowGroup];  // d Σ codes
};
static_assert(sizeof(RowBlockSteps) == 384, "six cache lines");

// See PackedQ16.
struct RowBlockQ16 {
  int16_t codes[kRowGroup][kBlock];
  float d[kRowGroup];
  int32_t unused[10];
};
static_assert(sizeof(RowBlockQ16) == 448, "seven cache lines");

template <int kRows>
struct RowsOfBf16 {
  uint16_t values[kRows][kBlock];
};
using RowBlockBf16 = RowsOfBf16<kRowGroup>;
struct RowBlockF32 {
  float values[kRowGroup][kBlock];
};

// ---- every weight type there is ----
//
// Its name, a unit of it packed, a block of it in the file and the values of that, and the rows its
// products take. A new type is a line here, its two structs above, a place() in pack.cc, and in
// each set that is to multiply it a Decode or Widen; all switches over types are made from
// these lists.
#define QWEN3_WEIGHT_TYPES(X)                    \
  X(kF16, PackedF16, uint16_t, 1, RowBlockF32)   \
  X(kBf16, PackedBf16, uint16_t, 1, RowBlockF32) \
  QWEN3_OTHER_TYPES(X)
// As sets that have products of 16-bit codes multiply them.
#define QWEN3_WEIGHT_TYPES_Q16(X)               \
  X(kF16, PackedQ16, uint16_t, 1, RowBlockQ16)  \
  X(kBf16, PackedQ16, uint16_t, 1, RowBlockQ16) \
  QWEN3_OTHER_TYPES(X)
#define QWEN3_OTHER_TYPES(X)                        \
  X(kF32, PackedF32, float, 1, RowBlockF32)         \
  X(kQ8_0, PackedQ8_0, SourceQ8_0, 32, RowBlockQ8)  \
  X(kQ4_0, PackedQ4_0, SourceQ4_0, 32, RowBlockQ8)  \
  X(kQ4_K, PackedQ4_K, SourceQ4_K, 256, RowBlockQ8) \
  X(kQ5_K, PackedQ5_K, SourceQ5_K, 256, RowBlockQ8) \
  X(kQ6_K, PackedQ6_K, SourceQ6_K, 256, RowBlockQ8)

// What RowFormat a type's rows have in sets without products of BF16 pairs or 16-bit codes.
[[maybe_unused]] RowFormat plain_row_format(WeightType type) {
  struct Choose {
    static RowFormat of(const RowBlockF32*) { return RowFormat::kF32; }
    static RowFormat of(const RowBlockQ8*) { return RowFormat::kQ8; }
  };
  switch (type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return Choose::of(static_cast<const RowBlock*>(nullptr));
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
  return RowFormat::kF32;
}

// Into the second-level cache.
[[maybe_unused]] void prefetch(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 0, 2);
#else
  (void)p;
#endif
}

[[maybe_unused]] void prefetch_to_write(void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 1, 3);
#else
  (void)p;
#endif
}

[[maybe_unused]] constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
[[maybe_unused]] constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
[[maybe_unused]] constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace
}  // namespace qwen3_embed::kernels
