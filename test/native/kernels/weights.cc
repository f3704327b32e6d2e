#include "weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"

namespace qwen3_embed::kernels {
namespace {

double half_value(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const double magnitude =
      exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
  return h & 0x8000 ? -magnitude : magnitude;
}

}  // namespace

double bf16_value(uint16_t b) {
  const uint32_t bits = static_cast<uint32_t>(b) << 16;
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

uint16_t nearest_bf16(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

Weight weight_at(WeightType type, const uint8_t* row, int64_t k) {
  const auto half_at = [](const uint8_t* p) {
    uint16_t h;
    std::memcpy(&h, p, 2);
    return half_value(h);
  };
  switch (type) {
    case WeightType::kF32: {
      float f;
      std::memcpy(&f, row + k * 4, 4);
      return {f, 0};
    }
    case WeightType::kF16:
      return {half_at(row + k * 2), 0};
    case WeightType::kBf16: {
      uint16_t b;
      std::memcpy(&b, row + k * 2, 2);
      return {bf16_value(b), 0};
    }
    case WeightType::kQ8_0: {
      const uint8_t* block = row + k / 32 * 34;
      return {half_at(block) * static_cast<int8_t>(block[2 + k % 32]), 0};
    }
    case WeightType::kQ4_0: {
      const uint8_t* block = row + k / 32 * 18;
      const int i = static_cast<int>(k % 32);
      return {half_at(block) * ((block[2 + i % 16] >> (i / 16 * 4) & 15) - 8), 0};
    }
    case WeightType::kQ4_K:
    case WeightType::kQ5_K: {
      const bool five = type == WeightType::kQ5_K;
      const uint8_t* block = row + k / 256 * (five ? 176 : 144);
      const int i = static_cast<int>(k % 256), sub = i / 32;
      const uint8_t* s = block + 4;
      const int scale = sub < 4 ? s[sub] & 63 : (s[sub + 4] & 15) | (s[sub - 4] >> 6) << 4;
      const int min = sub < 4 ? s[sub + 4] & 63 : (s[sub + 4] >> 4) | (s[sub] >> 6) << 4;
      const uint8_t* codes = block + (five ? 48 : 16);
      int code = codes[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
      if (five) code |= (block[16 + i % 32] >> sub & 1) << 4;
      return {half_at(block) * scale * code, half_at(block + 2) * min};
    }
    case WeightType::kQ6_K: {
      const uint8_t* block = row + k / 256 * 210;
      const int i = static_cast<int>(k % 256), quarter = i % 128 / 32, l = i % 32;
      const int low = block[i / 128 * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
      const int high = block[128 + i / 128 * 32 + l] >> (quarter * 2) & 3;
      const int scale = static_cast<int8_t>(block[192 + i / 16]);
      return {half_at(block + 208) * scale * ((low | high << 4) - 32), 0};
    }
  }
  return {0, 0};
}

namespace {

// The scale of the block of an F16 or BF16 row's value k in codes of 16 bits: a BF16 number,
// rounded up. Codes are at most 46,330 long together.
double weight_scale(WeightType type, const uint8_t* row, int64_t k) {
  double squares = 0, largest = 0;
  for (int64_t i = k / 32 * 32; i < k / 32 * 32 + 32; i++) {
    const double w = weight_at(type, row, i).product;
    squares += w * w;
    largest = std::max(largest, std::fabs(w));
  }
  const auto d = static_cast<float>(std::max(std::sqrt(squares) / 46330, largest / 32767));
  uint32_t bits;
  std::memcpy(&bits, &d, sizeof bits);
  return bf16_value(static_cast<uint16_t>((bits + 0xffff) >> 16));
}

}  // namespace

Weight multiplied(const Kernels& set, WeightType type, const uint8_t* row, int64_t k) {
  const Weight w = weight_at(type, row, k);
  if (set.row_format(type) == RowFormat::kQ16) {
    const double d = weight_scale(type, row, k);
    return {d > 0 ? std::nearbyint(static_cast<float>(w.product / d)) * d : 0, 0};
  }
  const bool quantised = find("portable")->row_format(type) == RowFormat::kQ8;
  if (!quantised || set.row_format(type) != RowFormat::kBf16) return w;
  return {bf16_value(nearest_bf16(static_cast<float>(w.product - w.min))), 0};
}

namespace {

uint16_t random_half(Style style) {
  if (style == Style::kSubnormal)
    return static_cast<uint16_t>(integer(0, 1023) | integer(0, 1) << 15);
  if (style == Style::kHuge) return static_cast<uint16_t>(0x7bff | integer(0, 1) << 15);
  return static_cast<uint16_t>(integer(0x0800, 0x3400) | integer(0, 1) << 15);
}

}  // namespace

std::vector<uint8_t> random_source(const TypeFacts& facts, int64_t n, int64_t k, Style style) {
  std::vector<uint8_t> source(static_cast<size_t>(n * k / facts.values * facts.bytes));
  for (uint8_t& byte : source) {
    byte = static_cast<uint8_t>(integer(0, 255));
    if (style == Style::kLowest) byte = facts.type == WeightType::kQ8_0 ? 0x80 : 0;
    if (style == Style::kHighest) byte = facts.type == WeightType::kQ8_0 ? 0x7f : 0xff;
    if (style == Style::kZero) byte = 0;
  }
  for (size_t block = 0; block < source.size(); block += static_cast<size_t>(facts.bytes)) {
    uint8_t* p = source.data() + block;
    const uint16_t d = random_half(style), dmin = random_half(style);
    switch (facts.type) {
      case WeightType::kF32: {
        const float f = style == Style::kZero        ? 0.0f
                        : style == Style::kSubnormal ? normal() * 1e-42f
                        : style == Style::kHuge      ? normal() * 1e20f
                                                     : normal();
        std::memcpy(p, &f, 4);
        break;
      }
      case WeightType::kBf16: {
        // The instruction for BF16 pairs takes subnormal weights as zero; no model holds one that
        // counts.
        const uint16_t b = style == Style::kZero
                               ? uint16_t{0}
                               : nearest_bf16(normal() * (style == Style::kHuge ? 1e20f : 1));
        std::memcpy(p, &b, 2);
        break;
      }
      case WeightType::kQ6_K:
        std::memcpy(p + 208, &d, 2);
        break;
      case WeightType::kQ4_K:
      case WeightType::kQ5_K:
        std::memcpy(p + 2, &dmin, 2);
        [[fallthrough]];
      default:
        std::memcpy(p, &d, 2);
    }
  }
  return source;
}

}  // namespace qwen3_embed::kernels
