// Rows of codes with a scale that is any float; included like rows.inc.h.
#pragma once

#include <cstring>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

RowBlockQ8& code_block(const Rows& rows, int64_t group, int64_t block) {
  return static_cast<RowBlockQ8*>(rows.data)[group * (rows.k / kBlock) + block];
}

// Scale and rounding as in ggml's quantize_row_q8_0 (d = largest / 127, nearest even), except that
// d stays a float. A block whose largest magnitude is below 1e-30 counts as zeros (1 / d would
// overflow); one that holds a NaN or an infinity gets a scale that says so.
void store_q8(const float* x, RowBlockQ8& to, int64_t r) {
  constexpr uint32_t kTiny = 0x0da24260, kInfinity = 0x7f800000;
  const uint32_t bits = Vec::largest(x);
  float largest;
  memcpy(&largest, &bits, sizeof largest);
  int32_t sums[2] = {0, 0};
  float d = 0;
  if (bits >= kTiny && bits < kInfinity) {
    d = largest / 127.0f;
    Vec::quantise(x, 127.0f / largest, to.codes[r], sums);
  } else {
    memset(to.codes[r], 0, kBlock);
    if (bits >= kInfinity) d = largest;
  }
  to.d[r] = d;
  to.start[r] = -128 * (sums[0] + sums[1]);
  to.start_half[0][r] = -128 * sums[0];
  to.start_half[1][r] = -128 * sums[1];
  to.sum[r] = d * static_cast<float>(sums[0] + sums[1]);
}

}  // namespace
}  // namespace qwen3_embed::kernels
