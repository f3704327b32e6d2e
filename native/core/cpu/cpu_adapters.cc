#include "core/cpu/cpu_adapters.h"

#include <algorithm>
#include <cmath>

#include "core/cpu/cpu_network.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

using kernels::RowFormat;
using kernels::WeightType;

constexpr int64_t kBlock = 32;  // rows are whole blocks of values
constexpr int64_t kPanel = 16;  // and products do so many outputs at once

int64_t filled_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Multiplied by a power of two that brings the largest to about 1, so that no code or scale is
// too small for its type: returns what takes that back.
float bring_near_one(float* values, size_t n) {
  float largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(values[i]));
  if (largest == 0) return 1;
  int exponent = 0;
  std::frexp(largest, &exponent);
  for (size_t i = 0; i < n; ++i) values[i] = std::ldexp(values[i], -exponent);
  return std::ldexp(1.0f, exponent);
}

// (n_out, n_in)
std::unique_ptr<Product> make(ProductMaker& maker, RowFormat rows, const Vector& values,
                              int64_t n_out, int64_t n_in) {
  if (rows == RowFormat::kQ8) {
    std::vector<uint8_t> codes(static_cast<size_t>(n_out) * ggml_row_size(GGML_TYPE_Q8_0, n_in));
    ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), codes.data(), 0, n_out, n_in, nullptr);
    return maker.make(WeightType::kQ8_0, codes.data(), n_out, n_in);
  }
  if (rows == RowFormat::kBf16) {
    std::vector<ggml_bf16_t> halves(values.size());
    ggml_fp32_to_bf16_row(values.data(), halves.data(), static_cast<int64_t>(values.size()));
    return maker.make(WeightType::kBf16, halves.data(), n_out, n_in);
  }
  return maker.make(values.data(), n_out, n_in);
}

// The form of rows that all of them take, where a set of ours has one for it and adapters can be
// made for it without loss: they are floats, which 16-bit codes of F16 numbers are not.
RowFormat form_of(const std::vector<AdaptedLinear>& linears) {
  RowFormat form = RowFormat::kPlain;
  bool is_first = true;
  for (const AdaptedLinear& linear : linears) {
    if (!linear.packed.present()) continue;
    const RowFormat own = linear.packed.product->form();
    if (!is_first && own != form) return RowFormat::kF32;
    form = own;
    is_first = false;
  }
  return form == RowFormat::kPlain || form == RowFormat::kQ16 ? RowFormat::kF32 : form;
}

}  // namespace

std::shared_ptr<const CpuAdapters> pack_adapters(ProductMaker& maker,
                                                 const std::vector<AdaptedLinear>& linears,
                                                 bool are_queries) {
  const RowFormat form = form_of(linears);
  auto packed = std::make_shared<CpuAdapters>();
  Vector stacked;  // A above A: (width, n_in)
  int64_t width = 0, n_in = 0;
  for (const AdaptedLinear& linear : linears) {
    const WeightMatrix& weight = linear.from.weight;
    for (const LowRank& adapter : linear.from.adapters) {
      if (adapter.queries_only && !are_queries) continue;
      const int64_t rank = adapter.rank, filled = filled_up(rank, kBlock), n_out = weight.n_out;
      n_in = weight.n_in;
      const auto first = static_cast<std::ptrdiff_t>(stacked.size());
      stacked.insert(stacked.end(), adapter.a.begin(), adapter.a.end());
      float factor = bring_near_one(stacked.data() + first, adapter.a.size());
      Vector b(static_cast<size_t>(n_out * filled));
      for (int64_t o = 0; o < n_out; ++o) {
        for (int64_t r = 0; r < rank; ++r) {
          b[static_cast<size_t>(o * filled + r)] =
              adapter.scale * adapter.b[static_cast<size_t>(source_row(weight, o) * rank + r)];
        }
      }
      factor *= bring_near_one(b.data(), b.size());
      packed->parts.push_back(
          {linear.packed.product.get(), width, rank, factor, make(maker, form, b, n_out, filled)});
      width += rank;
    }
  }
  if (packed->parts.empty()) return nullptr;
  width = filled_up(width, kPanel);
  stacked.resize(static_cast<size_t>(width * n_in));
  packed->a = make(maker, form, stacked, width, n_in);
  return packed;
}

}  // namespace qwen3_embed
