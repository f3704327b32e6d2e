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
#include "rows.inc.h"
#include "scan.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

void avx2_attention(const Attention& a) {
  a.may_round ? attention<Int16Keys, FloatValues>(a) : attention<FloatKeys, FloatValues>(a);
}

}  // namespace

const Kernels kAvx2 = {"avx2",
                       kPanel,
                       panels_packable,
                       panels_bytes,
                       pack_panels,
                       plain_row_format,
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
  a.may_round ? avx2_vnni_rounded_attention(a) : attention<FloatKeys, FloatValues>(a);
}

}  // namespace

const Kernels kAvx2Vnni = {"avx2-vnni",
                           kPanel,
                           panels_packable,
                           panels_bytes,
                           pack_panels,
                           plain_row_format,
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
