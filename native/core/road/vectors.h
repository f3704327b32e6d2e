// row -> vector | score. Pure.
#pragma once

#include <cstddef>

namespace qwen3_embed {

bool all_finite(const float* values, size_t n_values);

// Cuts to n_dims, then divides by the L2 norm (Matryoshka order; the other one leaves vectors
// shorter than 1). False if the cut row has no direction, being zero.
bool row_to_vector(const float* row, size_t n_dims, bool normalize, float* vector);

double logit_to_probability(double logit);

}  // namespace qwen3_embed
