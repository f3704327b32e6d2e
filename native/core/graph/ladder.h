// The few sizes that what is asked of a device is filled up to, so that sizes come again and with
// them graphs.
#pragma once

#include <cstdint>

namespace qwen3_embed {

// Packs of more rows stay as they are: they would lose more by padding than by a new graph.
inline constexpr int32_t kMostPaddedRows = 256;

// Of rows: in steps of 16, a tile of most devices' products, from 128 on of 32. A single row, as a
// text's answer is, stays alone.
inline int32_t filled_rows(int32_t n) {
  if (n <= 1) return n;
  const int32_t step = n <= 128 ? 16 : 32;
  return (n + step - 1) / step * step;
}

// Of streams: powers of two.
inline int32_t filled_streams(int32_t n) {
  int32_t filled = 1;
  while (filled < n) filled *= 2;
  return filled;
}

}  // namespace qwen3_embed
