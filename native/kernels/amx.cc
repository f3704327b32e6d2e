#include "vec_avx512.h"

namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = 16;  // a tile's
}
}  // namespace qwen3_embed::kernels
// After the vector type they are written over.
#include "attention_floats.inc.h"
#include "codes_plain.inc.h"
#include "rows.inc.h"
#include "scan.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// Quantised weights are widened to BF16, which holds them more closely than 8-bit rows would hold
// what they are multiplied with. F16 weights are, exactly, sums of two BF16 numbers.
RowFormat row_format(WeightType type) {
  const RowFormat plain = plain_row_format(type);
  if (type == WeightType::kF16) return RowFormat::kBf16Sums;
  return plain == RowFormat::kQ8 || type == WeightType::kBf16 ? RowFormat::kBf16 : plain;
}

size_t rows_bytes(RowFormat format, int64_t m, int64_t k) {
  if (format != RowFormat::kBf16 && format != RowFormat::kBf16Sums)
    return grouped_rows_bytes(format, m, k);
  const size_t tile = sizeof(RowsOfBf16<kBf16Rows>);
  return static_cast<size_t>(ceil_div(m, kBf16Rows) * (k / kBlock)) * tile *
         (format == RowFormat::kBf16Sums ? 2 : 1);
}

void attention_tiles(const Attention& a) {
  a.rounding == Rounding::kBf16 ? amx_attention(a) : attention<FloatKeys, FloatValues>(a);
}

}  // namespace

const Kernels kAmx = {"amx",
                      kPanel,
                      panels_packable,
                      panels_bytes,
                      pack_panels_of_pairs,
                      row_format,
                      rows_bytes,
                      amx_matmul,
                      amx_matmul_swiglu,
                      store_row,
                      rms_norm,
                      rms_norm_row,
                      layer_norm,
                      gelu_row,
                      swiglu_row,
                      norm_rope,
                      attention_tiles,
                      scan};

}  // namespace qwen3_embed::kernels
