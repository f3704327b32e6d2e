// How much of each model goes into a merged tensor. Every method here but TIES is a sum of the
// models' tensors, with factors that follow from their lengths and angles alone.
#pragma once

#include <string>
#include <vector>

namespace qwen3_embed {

enum class MergeMethod { slerp, linear, task, ties, multi_slerp };

// gram[i][j]: the product of tensors i and j, flattened. (n, n)
using Gram = std::vector<std::vector<double>>;

struct Factors {
  std::vector<double> of;    // (n)
  bool is_straight = false;  // slerp: nearly parallel, or without length: taken along the line
};

// mergekit's: on the sphere between the directions of v0 and v1, of the tensors as they are; along
// the line where the cosine is beyond 0.9995.
Factors slerp(const Gram& gram, double t);
// Σ w v / Σ w
Factors linear(const std::vector<double>& weights);
// v0 + λ Σ w (v - v0), over all but the first.
Factors task_arithmetic(const std::vector<double>& weights, double lambda);
// Directions averaged in the tangent space at their mean, times the mean length.
Factors multi_slerp(const Gram& gram, const std::vector<double>& weights);

}  // namespace qwen3_embed
