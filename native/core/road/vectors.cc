#include "core/road/vectors.h"

#include <algorithm>
#include <cmath>

namespace qwen3_embed {

bool all_finite(const float* values, size_t n_values) {
  return std::all_of(values, values + n_values, [](float value) { return std::isfinite(value); });
}

bool row_to_vector(const float* row, size_t n_dims, bool normalize, float* vector) {
  if (!normalize) {
    std::copy(row, row + n_dims, vector);
    return true;
  }
  double squares = 0;
  for (size_t i = 0; i < n_dims; ++i) squares += static_cast<double>(row[i]) * row[i];
  if (squares == 0) return false;
  const double scale = 1.0 / std::sqrt(squares);
  for (size_t i = 0; i < n_dims; ++i) vector[i] = static_cast<float>(row[i] * scale);
  return true;
}

double logit_to_probability(double logit) { return 1.0 / (1.0 + std::exp(-logit)); }

}  // namespace qwen3_embed
