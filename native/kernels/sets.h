// The kernel sets and the parts of them that stand in sources of their own.
#pragma once

#include "kernels.h"

namespace qwen3_embed::kernels {

extern const Kernels kPortable;

// Panels of 16 outputs, rows in groups of 6 (layout.h).
bool panels_packable(uint32_t gguf_type, int64_t k);
size_t panels_bytes(WeightType type, int64_t n, int64_t k);
void pack_panels(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
                 int64_t panel_end, void* packed);
// The same bytes in the order that tiles of BF16 pairs are widened from (pack.cc).
void pack_panels_of_pairs(WeightType type, const void* source, int64_t n, int64_t k,
                          int64_t panel_begin, int64_t panel_end, void* packed);
// In the first order but with signed codes; and these as eight values of k of two outputs.
void pack_panels_signed(WeightType type, const void* source, int64_t n, int64_t k,
                        int64_t panel_begin, int64_t panel_end, void* packed);
void pack_panels_of_octets(WeightType type, const void* source, int64_t n, int64_t k,
                           int64_t panel_begin, int64_t panel_end, void* packed);
// Of rows as layout.h has them; some sets have 8-bit codes in another form.
size_t grouped_rows_bytes(RowFormat format, int64_t m, int64_t k);

using Matmul = void(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                    const float* add, int64_t add_stride, int ith, int nth);
using MatmulSwiglu = void(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                          int ith, int nth);

#ifdef QWEN3_KERNELS_X86
// F16 and BF16 weights as 16-bit codes (avx2_pack_q16.cc).
size_t q16_bytes(int64_t n, int64_t k);
void pack_q16(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
              int64_t panel_end, void* packed);
extern const Kernels kAvx2;
extern const Kernels kAvx512Vnni;
extern const Kernels kAvx512Bf16;
Matmul avx2_matmul;
MatmulSwiglu avx2_matmul_swiglu;
Matmul avx512_matmul;
MatmulSwiglu avx512_matmul_swiglu;
Matmul avx512_bf16_matmul;
MatmulSwiglu avx512_bf16_matmul_swiglu;
void avx512_bf16_attention(const Attention& attention);  // that may round
#endif
#ifdef QWEN3_KERNELS_AMX
extern const Kernels kAmx;
Matmul amx_matmul;
MatmulSwiglu amx_matmul_swiglu;
void amx_attention(const Attention& attention);  // that may round
#endif
#ifdef QWEN3_KERNELS_AVXVNNI
extern const Kernels kAvx2Vnni;
Matmul avx2_vnni_matmul;
MatmulSwiglu avx2_vnni_matmul_swiglu;
void avx2_vnni_rounded_attention(const Attention& attention);
#endif
#ifdef QWEN3_KERNELS_DOTPROD
extern const Kernels kNeonDotprod;
Matmul neon_matmul;
#endif
#ifdef QWEN3_KERNELS_I8MM
extern const Kernels kNeonI8mm;
Matmul neon_i8mm_matmul;
#endif

}  // namespace qwen3_embed::kernels
