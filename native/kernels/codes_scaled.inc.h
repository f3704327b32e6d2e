// A block of codes with a scale that is any float; included like rows.inc.h.
#pragma once

#include <cstring>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

// Scale and rounding as in ggml's quantize_row_q8_0 (d = largest / 127, nearest even), except that
// d stays a float: it is returned. A block whose largest magnitude is below 1e-30 counts as zeros
// (1 / d would overflow); one that holds a NaN or an infinity gets a scale that says so. `sums`: of
// the codes of either half.
float scaled_codes(const float* x, int8_t* codes, int32_t (&sums)[2]) {
  constexpr uint32_t kTiny = 0x0da24260, kInfinity = 0x7f800000;
  const uint32_t bits = Vec::largest(x);
  float largest;
  memcpy(&largest, &bits, sizeof largest);
  if (bits >= kTiny && bits < kInfinity) {
    Vec::quantise(x, 127.0f / largest, codes, sums);
    return largest / 127.0f;
  }
  memset(codes, 0, kBlock);
  sums[0] = sums[1] = 0;
  return bits >= kInfinity ? largest : 0;
}

}  // namespace
}  // namespace qwen3_embed::kernels
