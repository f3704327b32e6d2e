#include "vec_avx512.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type they are written over.
#include "attention_floats.inc.h"
#include "attention_int16.inc.h"
#include "codes_stepped.inc.h"
#include "panels_q16.inc.h"
#include "rows.inc.h"
#include "scan.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

RowFormat row_format_bf16(WeightType type) {
  return type == WeightType::kBf16 ? RowFormat::kBf16 : row_format_q16(type);
}

size_t rows_bytes(RowFormat format, int64_t m, int64_t k) {
  if (format != RowFormat::kQ8) return grouped_rows_bytes(format, m, k);
  return static_cast<size_t>(ceil_div(m, kRowGroup) * (k / kBlock)) * sizeof(RowBlockSteps);
}

void attention_vnni(const Attention& a) {
  a.rounding == Rounding::kNone ? attention<FloatKeys, FloatValues>(a)
                                : attention<Int16Keys, FloatValues>(a);
}

void attention_bf16(const Attention& a) {
  a.rounding == Rounding::kBf16 ? avx512_bf16_attention(a) : attention_vnni(a);
}

}  // namespace

const Kernels kAvx512Vnni = {"avx512-vnni",
                             kPanel,
                             panels_packable,
                             packed_bytes<row_format_q16>,
                             pack<row_format_q16>,
                             row_format_q16,
                             rows_bytes,
                             avx512_matmul,
                             avx512_matmul_swiglu,
                             store_row,
                             rms_norm,
                             rms_norm_row,
                             layer_norm,
                             gelu_row,
                             swiglu_row,
                             norm_rope,
                             attention_vnni,
                             scan};
const Kernels kAvx512Bf16 = {"avx512-bf16",
                             kPanel,
                             panels_packable,
                             packed_bytes<row_format_bf16>,
                             pack<row_format_bf16>,
                             row_format_bf16,
                             rows_bytes,
                             avx512_bf16_matmul,
                             avx512_bf16_matmul_swiglu,
                             store_row,
                             rms_norm,
                             rms_norm_row,
                             layer_norm,
                             gelu_row,
                             swiglu_row,
                             norm_rope,
                             attention_bf16,
                             scan};

}  // namespace qwen3_embed::kernels
