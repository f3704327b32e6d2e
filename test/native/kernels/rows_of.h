// Rows of activations by the definition of their format, and the rows of a product.
#pragma once

#include <vector>

#include "checks.h"

namespace qwen3_embed::kernels {

// Whether a set's rows of codes have scales of nine bits.
bool scales_in_steps(const Kernels& set);

// What the row's format makes of x, by the definition of the format.
std::vector<double> as_stored(const Kernels& set, RowFormat format, const float* x, int64_t k);

struct Product {
  Product(const Kernels& kernels, WeightType weight_type, int64_t inputs, int64_t row_count)
      : set(kernels),
        type(weight_type),
        k(inputs),
        m(row_count),
        format(set.row_format(type)),
        memory(set.rows_bytes(format, m, k)) {}
  Rows rows() { return {format, m, k, memory.data}; }

  const Kernels& set;
  WeightType type;
  int64_t k, m;
  RowFormat format;
  Aligned memory;
};

}  // namespace qwen3_embed::kernels
