// Weights of every type as they stand in a file, read on the tests' own terms.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace qwen3_embed::kernels {

double bf16_value(uint16_t b);
uint16_t nearest_bf16(float f);

struct TypeFacts {
  WeightType type;
  const char* name;
  int64_t values, bytes;  // of a source block
};
inline const TypeFacts kTypes[] = {
    {WeightType::kQ8_0, "Q8_0", 32, 34},   {WeightType::kQ4_0, "Q4_0", 32, 18},
    {WeightType::kQ4_K, "Q4_K", 256, 144}, {WeightType::kQ5_K, "Q5_K", 256, 176},
    {WeightType::kQ6_K, "Q6_K", 256, 210}, {WeightType::kF32, "F32", 1, 4},
    {WeightType::kF16, "F16", 1, 2},       {WeightType::kBf16, "BF16", 1, 2},
};

// A weight as the format defines it: scale · code - minimum. Read here from the source on its own
// terms.
struct Weight {
  double product, min;
};

Weight weight_at(WeightType type, const uint8_t* row, int64_t k);

// As a set multiplies it: sets that take BF16 rows for quantised weights widen these to BF16, and
// those that take codes of 16 bits round to such.
Weight multiplied(const Kernels& set, WeightType type, const uint8_t* row, int64_t k);

enum class Style { kRandom, kLowest, kHighest, kZero, kSubnormal, kHuge };
inline const Style kStyles[] = {Style::kRandom, Style::kLowest,    Style::kHighest,
                                Style::kZero,   Style::kSubnormal, Style::kHuge};

// n rows of k values.
std::vector<uint8_t> random_source(const TypeFacts& facts, int64_t n, int64_t k, Style style);

}  // namespace qwen3_embed::kernels
