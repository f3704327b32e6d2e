#include "vec_neon.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type they are written over.
#include "attention_neon.inc.h"
#include "codes_plain.inc.h"
#include "rows.inc.h"
#include "scan_neon.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {

const Kernels kNeonDotprod = {"neon-dotprod",
                              kPanel,
                              panels_packable,
                              panels_bytes,
                              pack_panels_signed,
                              plain_row_format,
                              grouped_rows_bytes,
                              neon_matmul,
                              nullptr,
                              store_row,
                              rms_norm,
                              rms_norm_row,
                              layer_norm,
                              gelu_row,
                              swiglu_row,
                              norm_rope,
                              attention<NeonKeys, NeonValues>,
                              scan};

}  // namespace qwen3_embed::kernels
