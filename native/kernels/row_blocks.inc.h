// 32 values of a row into its block, in every format. Included after a Vec, kBf16Rows (how many
// rows of BF16 stand interleaved) and one of codes_*.inc.h (how the set's rows of codes are scaled
// and stand).
#pragma once

#include <math.h>

#include <cstring>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

uint16_t bf16_of(uint32_t bits) {
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// Each of 32 values as the sum of two BF16 numbers. What is not finite is so in the first.
void store_sums(const float* x, uint16_t* high, uint16_t* low) {
  for (int i = 0; i < kBlock; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    high[i] = bf16_of(bits);
    const uint32_t shown_bits = static_cast<uint32_t>(high[i]) << 16;
    float shown;
    memcpy(&shown, &shown_bits, sizeof shown);
    const float rest = x[i] - shown;
    memcpy(&bits, &rest, sizeof bits);
    low[i] = bf16_of(bits);
  }
}

// A block's largest magnitude is brought to between 1 and 2 first, so that squares stay in range.
// Below 1e-30 it counts as zero, from 2^100 on as infinite.
void store_q16(const float* x, RowBlockQ16& to, int64_t r) {
  constexpr uint32_t kTiny = 0x0da24260, kHuge = 0x71800000, kExponent = 0x7f800000;
  constexpr uint32_t kTwo = 0x7f000000;  // exponents of a number and its inverse add up to this
  const uint32_t bits = Vec::largest(x);
  if (bits < kTiny || bits >= kHuge) {
    memset(to.codes[r], 0, sizeof to.codes[r]);
    to.d[r] = bits < kTiny ? 0.0f : NAN;
    return;
  }
  const uint32_t inverse_bits = kTwo - (bits & kExponent);
  float largest, inverse, y[kBlock], squares[kBlock / 2];
  memcpy(&largest, &bits, sizeof largest);
  memcpy(&inverse, &inverse_bits, sizeof inverse);
  for (int i = 0; i < kBlock; i++) y[i] = x[i] * inverse;
  // In the order of a tree, which every width of vectors can follow.
  for (int i = 0; i < 16; i++) squares[i] = y[i] * y[i] + y[i + 16] * y[i + 16];
  for (int i = 0; i < 8; i++) squares[i] += squares[i + 8];
  for (int i = 0; i < 4; i++) squares[i] += squares[i + 4];
  const float length = sqrtf((squares[0] + squares[2]) + (squares[1] + squares[3]));
  const float by_length = length / kQ16Length, by_largest = largest * inverse / kQ16Largest;
  const float d = by_length > by_largest ? by_length : by_largest, scale = 1 / d;
  for (int i = 0; i < kBlock; i++) to.codes[r][i] = static_cast<int16_t>(rintf(y[i] * scale));
  to.d[r] = d / inverse;
}

void store_block(const float* x, const Rows& rows, int64_t row, int64_t block) {
  const int64_t index = row / kRowGroup * (rows.k / kBlock) + block, r = row % kRowGroup;
  switch (rows.format) {
    case RowFormat::kQ8:
      return store_q8(x, code_block(rows, row / kRowGroup, block), r);
    case RowFormat::kQ16:
      return store_q16(x, static_cast<RowBlockQ16*>(rows.data)[index], r);
    case RowFormat::kPlain:
      memcpy(static_cast<float*>(rows.data) + row * rows.k + block * kBlock, x,
             sizeof(float) * kBlock);
      return;
    case RowFormat::kF32:
      memcpy(static_cast<RowBlockF32*>(rows.data)[index].values[r], x, sizeof(float) * kBlock);
      return;
    case RowFormat::kBf16: {
      const int64_t group = row / kBf16Rows * (rows.k / kBlock) + block;
      auto* blocks = static_cast<RowsOfBf16<kBf16Rows>*>(rows.data);
      uint16_t* to = blocks[group].values[row % kBf16Rows];
      uint32_t bits[kBlock];
      memcpy(bits, x, sizeof bits);
      for (int i = 0; i < kBlock; i++) to[i] = bf16_of(bits[i]);
      return;
    }
    case RowFormat::kBf16Sums: {
      const int64_t group = row / kBf16Rows * (rows.k / kBlock) + block;
      auto* blocks = static_cast<RowsOfBf16<kBf16Rows>*>(rows.data) + group * 2;
      store_sums(x, blocks[0].values[row % kBf16Rows], blocks[1].values[row % kBf16Rows]);
      return;
    }
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
