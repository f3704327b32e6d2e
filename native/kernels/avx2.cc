#include "vec_avx2.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type they are written over.
#include "attention_floats.inc.h"
#include "attention_int16.inc.h"
#include "codes_plain.inc.h"
#include "panels_q16.inc.h"
#include "rows.inc.h"
#include "scan.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

void avx2_attention(const Attention& a) {
  a.rounding == Rounding::kNone ? attention<FloatKeys, FloatValues>(a)
                                : attention<Int16Keys, FloatValues>(a);
}

}  // namespace

const Kernels kAvx2 = {"avx2",
                       kPanel,
                       panels_packable,
                       packed_bytes<row_format_q16>,
                       pack<row_format_q16>,
                       row_format_q16,
                       grouped_rows_bytes,
                       avx2_matmul,
                       avx2_matmul_swiglu,
                       store_row,
                       rms_norm,
                       rms_norm_row,
                       layer_norm,
                       gelu_row,
                       swiglu_row,
                       norm_rope,
                       avx2_attention,
                       scan};
#ifdef QWEN3_KERNELS_AVXVNNI
namespace {

void avx2_vnni_attention(const Attention& a) {
  a.rounding == Rounding::kNone ? attention<FloatKeys, FloatValues>(a)
                                : avx2_vnni_rounded_attention(a);
}

}  // namespace

const Kernels kAvx2Vnni = {"avx2-vnni",
                           kPanel,
                           panels_packable,
                           packed_bytes<row_format_q16>,
                           pack<row_format_q16>,
                           row_format_q16,
                           grouped_rows_bytes,
                           avx2_vnni_matmul,
                           avx2_vnni_matmul_swiglu,
                           store_row,
                           rms_norm,
                           rms_norm_row,
                           layer_norm,
                           gelu_row,
                           swiglu_row,
                           norm_rope,
                           avx2_vnni_attention,
                           scan};
#endif

}  // namespace qwen3_embed::kernels
