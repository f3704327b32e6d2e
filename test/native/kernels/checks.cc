#include "checks.h"

#include <random>

namespace qwen3_embed::kernels {
namespace {

std::mt19937 random_bits(20250607);

}  // namespace

float normal() { return std::normal_distribution<float>()(random_bits); }
int64_t integer(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random_bits);
}

std::vector<float> random_floats(int64_t n, double scale) {
  std::vector<float> out(static_cast<size_t>(n));
  for (float& f : out) f = normal() * static_cast<float>(scale);
  return out;
}

bool same(const float* a, const float* b, int64_t n) {
  return std::memcmp(a, b, static_cast<size_t>(n) * sizeof(float)) == 0;
}

}  // namespace qwen3_embed::kernels
