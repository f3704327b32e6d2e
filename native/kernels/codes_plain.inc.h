// Rows of codes with a scale that is any float; included like rows.inc.h.
#pragma once

#include "codes_scaled.inc.h"

namespace qwen3_embed::kernels {
namespace {

RowBlockQ8& code_block(const Rows& rows, int64_t group, int64_t block) {
  return static_cast<RowBlockQ8*>(rows.data)[group * (rows.k / kBlock) + block];
}

void store_q8(const float* x, RowBlockQ8& to, int64_t r) {
  int32_t sums[2];
  const float d = scaled_codes(x, to.codes[r], sums);
  to.d[r] = d;
  to.start[r] = -128 * (sums[0] + sums[1]);
  to.start_half[0][r] = -128 * sums[0];
  to.start_half[1][r] = -128 * sums[1];
  to.sum[r] = d * static_cast<float>(sums[0] + sums[1]);
}

}  // namespace
}  // namespace qwen3_embed::kernels
