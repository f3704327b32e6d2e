// Weights of a set whose F16 weights, and BF16 ones where it has nothing better for them, are
// multiplied as 16-bit codes.
#pragma once

#include "layout.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

RowFormat row_format_q16(WeightType type) {
  return type == WeightType::kF16 || type == WeightType::kBf16 ? RowFormat::kQ16
                                                               : plain_row_format(type);
}

template <RowFormat (*row_format)(WeightType)>
size_t packed_bytes(WeightType type, int64_t n, int64_t k) {
  return row_format(type) == RowFormat::kQ16 ? q16_bytes(n, k) : panels_bytes(type, n, k);
}

template <RowFormat (*row_format)(WeightType)>
void pack(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
          int64_t panel_end, void* packed) {
  const auto pack_as = row_format(type) == RowFormat::kQ16 ? pack_q16 : pack_panels;
  pack_as(type, source, n, k, panel_begin, panel_end, packed);
}

}  // namespace
}  // namespace qwen3_embed::kernels
