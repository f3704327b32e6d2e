// Attention with keys as 16-bit codes, for AVX2 with VNNI.
#include "vec_avx2.h"
// After the vector type they are written over.
#include "attention_floats.inc.h"
#include "attention_int16.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {

void avx2_vnni_rounded_attention(const Attention& a) { attention<Int16Keys, FloatValues>(a); }

}  // namespace qwen3_embed::kernels
