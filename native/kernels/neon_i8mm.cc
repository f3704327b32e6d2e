#include "vec_neon.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type they are written over.
#include "attention_neon.inc.h"
#include "codes_octets.inc.h"
#include "rows.inc.h"
#include "scan_neon.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

size_t rows_bytes(RowFormat format, int64_t m, int64_t k) {
  if (format != RowFormat::kQ8) return grouped_rows_bytes(format, m, k);
  return static_cast<size_t>(ceil_div(m, kRowGroup) * (k / kBlock)) * sizeof(RowBlockOctets);
}

}  // namespace

const Kernels kNeonI8mm = {"neon-i8mm",
                           kPanel,
                           panels_packable,
                           panels_bytes,
                           pack_panels_of_octets,
                           plain_row_format,
                           rows_bytes,
                           neon_i8mm_matmul,
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
