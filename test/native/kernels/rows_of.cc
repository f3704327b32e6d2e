#include "rows_of.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "weights.h"

namespace qwen3_embed::kernels {

bool scales_in_steps(const Kernels& set) { return std::strncmp(set.name, "avx512", 6) == 0; }

namespace {

// The scale of 32 values and what they are multiplied by to be codes, by the definition of the
// set's rows of codes.
struct Scale {
  float d, inverse;
};

Scale code_scale(const Kernels& set, const float* x) {
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = std::max(largest, std::fabs(x[i]));
  if (largest < 1e-30f) return {0, 0};
  if (!scales_in_steps(set)) return {largest / 127.0f, 127.0f / largest};
  int exponent;
  const float mantissa = std::frexp(largest / 127.0f, &exponent);
  const float d = std::ldexp(std::floor(mantissa * 512 + 0.5f) / 512, exponent);
  return {d, 1 / d};
}

// The same for codes of 16 bits.
Scale length_scale(const float* x) {
  float largest = 0, y[32], squares[16];
  for (int i = 0; i < 32; i++) largest = std::max(largest, std::fabs(x[i]));
  if (largest < 1e-30f) return {0, 0};
  const int exponent = std::ilogb(largest);
  for (int i = 0; i < 32; i++) y[i] = std::ldexp(x[i], -exponent);
  for (int i = 0; i < 16; i++) squares[i] = y[i] * y[i] + y[i + 16] * y[i + 16];
  for (int n = 8; n > 0; n /= 2)
    for (int i = 0; i < n; i++) squares[i] += squares[i + n];
  const float d =
      std::max(std::sqrt(squares[0]) / 46330.0f, std::ldexp(largest, -exponent) / 32767.0f);
  return {std::ldexp(d, exponent), std::ldexp(1 / d, -exponent)};
}

}  // namespace

std::vector<double> as_stored(const Kernels& set, RowFormat format, const float* x, int64_t k) {
  std::vector<double> out(static_cast<size_t>(k));
  for (int64_t i = 0; i < k; i++) {
    const auto at = static_cast<size_t>(i);
    if (format == RowFormat::kF32) out[at] = x[i];
    if (format == RowFormat::kBf16) out[at] = bf16_value(nearest_bf16(x[i]));
    if (format == RowFormat::kBf16Sums) {
      const double high = bf16_value(nearest_bf16(x[i]));
      out[at] = high + bf16_value(nearest_bf16(static_cast<float>(x[i] - high)));
    }
    if (format == RowFormat::kQ8 || format == RowFormat::kQ16) {
      const float* block = x + i / 32 * 32;
      const Scale scale = format == RowFormat::kQ8 ? code_scale(set, block) : length_scale(block);
      out[at] =
          static_cast<double>(std::nearbyint(x[i] * scale.inverse)) * static_cast<double>(scale.d);
    }
  }
  return out;
}

}  // namespace qwen3_embed::kernels
