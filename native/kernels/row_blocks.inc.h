// 32 values of a row into its block, in every format. Included after a Vec, kBf16Rows (how many
// rows of BF16 stand interleaved) and one of codes_*.inc.h (how the set's rows of codes are scaled
// and stand).
#pragma once

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

void store_block(const float* x, const Rows& rows, int64_t row, int64_t block) {
  const int64_t index = row / kRowGroup * (rows.k / kBlock) + block, r = row % kRowGroup;
  switch (rows.format) {
    case RowFormat::kQ8:
      return store_q8(x, code_block(rows, row / kRowGroup, block), r);
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
