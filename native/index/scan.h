// Cosines of one query with all vectors of a space, whose values are codes of a byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qwen3_embed {

struct Codes {
  const int8_t* values;  // (n, width)
  const float* scales;   // (n)
  size_t n;
  size_t width;
};

// cosines[i] = (codes[i] · query) · scales[i] · query_scale. (n)
void scan(const Codes& codes, const int8_t* query, float query_scale, float* cosines);

}  // namespace qwen3_embed
