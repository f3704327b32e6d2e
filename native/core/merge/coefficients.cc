#include "core/merge/coefficients.h"

#include <algorithm>
#include <cmath>

namespace qwen3_embed {
namespace {

constexpr double kStraight = 0.9995, kShort = 1e-8;

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

}  // namespace

Factors slerp(const Gram& gram, double t) {
  auto length = [&](size_t i) {
    const double norm = std::sqrt(gram[i][i]);
    return norm > kShort ? norm : 1;
  };
  const double cosine = gram[0][1] / (length(0) * length(1));
  if (std::abs(cosine) > kStraight) return {{1 - t, t}, true};
  const double theta = std::acos(cosine), sine = std::sin(theta);
  return {{std::sin((1 - t) * theta) / sine, std::sin(t * theta) / sine}, false};
}

Factors linear(const std::vector<double>& weights) {
  Factors factors;
  const double sum = sum_of(weights);
  for (const double weight : weights) factors.of.push_back(weight / sum);
  return factors;
}

Factors task_arithmetic(const std::vector<double>& weights, double lambda) {
  Factors factors;
  factors.of.push_back(1);
  for (size_t i = 1; i < weights.size(); ++i) {
    factors.of.push_back(lambda * weights[i]);
    factors.of[0] -= lambda * weights[i];
  }
  return factors;
}

// All in terms of the unit directions u_i: m = Σ c_i u_i, tangents θ (u - cos θ m) / sin θ.
Factors multi_slerp(const Gram& gram, const std::vector<double>& weights) {
  const size_t n = weights.size();
  const double total = sum_of(weights);
  std::vector<double> length(n), share(n);
  double mean_length = 0;
  for (size_t i = 0; i < n; ++i) {
    length[i] = std::sqrt(gram[i][i]);
    share[i] = weights[i] / total;
    mean_length += share[i] * length[i];
    if (!(length[i] > kShort)) return linear(weights);
  }
  auto product = [&](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) sum += a[i] * b[j] * gram[i][j] / (length[i] * length[j]);
    }
    return sum;
  };
  std::vector<double> mean = share;
  const double mean_norm = std::sqrt(std::max(0.0, product(mean, mean)));
  if (!(mean_norm > kShort)) return linear(weights);
  for (double& c : mean) c /= mean_norm;
  std::vector<double> tangent(n);
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> unit(n);
    unit[i] = 1;
    const double cosine = std::clamp(product(unit, mean), -1.0, 1.0);
    const double theta = std::acos(cosine), sine = std::sin(theta);
    if (!(sine > kShort)) continue;
    for (size_t j = 0; j < n; ++j)
      tangent[j] += share[i] * theta / sine * (unit[j] - cosine * mean[j]);
  }
  const double step = std::sqrt(std::max(0.0, product(tangent, tangent)));
  Factors factors;
  for (size_t i = 0; i < n; ++i) {
    const double along = step > kShort ? std::sin(step) / step * tangent[i] : tangent[i];
    factors.of.push_back(mean_length * (std::cos(step) * mean[i] + along) / length[i]);
  }
  return factors;
}

}  // namespace qwen3_embed
