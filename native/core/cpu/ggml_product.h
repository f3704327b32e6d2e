// A product by ggml's mul_mat, for weight types that no kernel of ours packs and for processors
// that none of ours suits.
#pragma once

#include "core/cpu/product.h"

namespace qwen3_embed {

class GgmlProduct final : public Product {
 public:
  // Reads the matrix as it stands in the file.
  GgmlProduct(const TensorFile& file, const WeightMatrix& matrix);

  kernels::RowFormat form() const override { return kernels::RowFormat::kPlain; }
  int64_t n_parts(int64_t n_rows, int n_threads) const override;
  void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                GgmlWorker* ggml) const override;
  int64_t n_bytes() const override { return static_cast<int64_t>(weights_.n_bytes()); }

 private:
  int64_t outputs_at_once(int64_t n_rows, int n_threads) const;
  int64_t slice_width(int64_t n_slices) const;

  const int32_t type_;
  const size_t row_bytes_;
  const int64_t row_multiple_;
  Buffer weights_;  // (n_out, row_bytes)
};

}  // namespace qwen3_embed
