// Inner products of one vector of codes with many, sixteen codes an instruction.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace qwen3_embed::kernels {
namespace {

void scan(const int8_t* codes, int64_t n, int64_t width, const int8_t* query, int32_t* out) {
  for (int64_t row = 0; row < n; row++, codes += width) {
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    int64_t i = 0;
    for (; i + 64 <= width; i += 64)
      for (int j = 0; j < 4; j++)
        sums[j] = vdotq_s32(sums[j], vld1q_s8(codes + i + j * 16), vld1q_s8(query + i + j * 16));
    int32_t sum = vaddvq_s32(vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])));
    for (; i < width; i++) sum += static_cast<int32_t>(codes[i]) * static_cast<int32_t>(query[i]);
    out[row] = sum;
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
