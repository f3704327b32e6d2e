// Inner products of one vector of codes with many. Included by each instruction set's source, whose
// compiler options make the loop what it is there.
#pragma once

#include <cstdint>

namespace qwen3_embed::kernels {
namespace {

void scan(const int8_t* codes, int64_t n, int64_t width, const int8_t* query, int32_t* out) {
  for (int64_t row = 0; row < n; row++) {
    const int8_t* code = codes + row * width;
    int32_t sum = 0;
    for (int64_t i = 0; i < width; i++)
      sum += static_cast<int32_t>(code[i]) * static_cast<int32_t>(query[i]);
    out[row] = sum;
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
