// Rows of codes whose scales are 2^e (1 + coarse / 16 + fine / 256); included like rows.inc.h.
#pragma once

#include <cstring>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

RowBlockSteps& code_block(const Rows& rows, int64_t group, int64_t block) {
  return static_cast<RowBlockSteps*>(rows.data)[block * ceil_div(rows.m, kRowGroup) + group];
}

// As ggml's quantize_row_q8_0, with a scale that is rounded to nine bits. The largest code is 127
// all the same. A magnitude from 2^100 on counts as infinite: `origin` could not say its scale.
void store_q8(const float* x, RowBlockSteps& to, int64_t r) {
  constexpr uint32_t kTiny = 0x0da24260, kHuge = 0x71800000;
  constexpr uint32_t kOne = 0x3f800000, kOrigin = 0x4b400000, kNan = 0x7fc00000;
  constexpr uint32_t kExponent = 0x7f800000, kFraction = 0x007f8000, kLast = 0x00008000;
  const uint32_t bits = Vec::largest(x);
  int32_t sums[2] = {0, 0};
  uint32_t origin = kOrigin, fraction = 0;
  float d = 0;
  if (bits >= kTiny && bits < kHuge) {
    memcpy(&d, &bits, sizeof d);
    d /= 127.0f;
    uint32_t scale;
    memcpy(&scale, &d, sizeof scale);
    scale = (scale + kLast / 2) & (kExponent | kFraction);
    memcpy(&d, &scale, sizeof d);
    origin += (scale & kExponent) - kOne;
    fraction = scale & kFraction;
    Vec::quantise(x, 1.0f / d, to.codes[r], sums);
  } else {
    memset(to.codes[r], 0, kBlock);
    if (bits >= kHuge) origin = kNan;
  }
  const auto start = [&](int32_t sum) {
    return static_cast<int32_t>(origin - static_cast<uint32_t>(128 * sum));
  };
  to.start[r] = start(sums[0] + sums[1]);
  to.start_half[0][r] = start(sums[0]);
  to.start_half[1][r] = start(sums[1]);
  const uint32_t mantissa = kOne | fraction;
  memcpy(&to.origin[r], &origin, sizeof origin);
  memcpy(&to.mantissa[r], &mantissa, sizeof mantissa);
  to.coarse[r] = static_cast<int32_t>(fraction / kLast / kScaleSteps);
  to.fine[r] = static_cast<int32_t>(fraction / kLast % kScaleSteps);
  to.sum[r] = origin == kNan ? to.origin[r] : d * static_cast<float>(sums[0] + sums[1]);
}

}  // namespace
}  // namespace qwen3_embed::kernels
