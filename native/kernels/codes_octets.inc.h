// Rows of codes in pairs, as products of small matrices take them; included like rows.inc.h.
#pragma once

#include "codes_scaled.inc.h"
#include "neon_octets.h"

namespace qwen3_embed::kernels {
namespace {

RowBlockOctets& code_block(const Rows& rows, int64_t group, int64_t block) {
  return static_cast<RowBlockOctets*>(rows.data)[group * (rows.k / kBlock) + block];
}

void store_q8(const float* x, RowBlockOctets& to, int64_t r) {
  int8_t codes[kBlock];
  int32_t sums[2];
  const float d = scaled_codes(x, codes, sums);
  const float sum = d * static_cast<float>(sums[0] + sums[1]);
  const int64_t pair = r / 2, side = r % 2;
  for (int i = 0; i < kBlock / 8; i++) memcpy(to.codes[i][pair][side], codes + i * 8, 8);
  for (int i = 0; i < 2; i++) {
    to.d[pair][side][i] = d;
    to.sum[pair][side][i] = sum;
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
