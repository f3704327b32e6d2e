// Products against sums in double precision, and against themselves in other company.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "rows_of.h"
#include "weights.h"

namespace qwen3_embed::kernels {
namespace {

void test_matmul(const Kernels& set, const TypeFacts& facts, int64_t m, int64_t n, int64_t k,
                 Style style) {
  const std::vector<uint8_t> source = random_source(facts, n, k, style);
  Aligned packed(set.packed_bytes(facts.type, n, k));
  // Packed by two hands, the second part first.
  const int64_t panels = (n + set.panel - 1) / set.panel, half = panels / 2;
  set.pack(facts.type,
           source.data() + static_cast<size_t>(half * set.panel) * source_row_bytes(facts.type, k),
           n, k, half, panels, packed.data);
  set.pack(facts.type, source.data(), n, k, 0, half, packed.data);
  const Weights weights{facts.type, n, k, packed.data};

  std::vector<float> x = random_floats(m * k, style == Style::kHuge ? 1e10 : 1);
  for (int64_t i = 0; i < std::min<int64_t>(32, m * k); i++)
    if (integer(0, 3) == 0) x[static_cast<size_t>(i)] = 0;
  if (m > 1) std::fill(x.begin() + k, x.begin() + k + 32, 0.0f);
  Product all(set, facts.type, k, m);
  for (int64_t i = m - 1; i >= 0; i--) set.store_row(x.data() + i * k, all.rows(), i);

  const int64_t stride = n + 3;
  Aligned out(static_cast<size_t>(m * stride - 3) * sizeof(float));
  set.matmul(weights, all.rows(), out.as<float>(), stride, nullptr, 0, 0, 1);
  CHECK(out.intact() && packed.intact() && all.memory.intact(), "%s %s wrote beyond its memory",
        set.name, facts.name);

  // Against a sum in double precision: error relative to Σ (|scale · code · a| + |minimum · a|).
  double worst = 0;
  for (int64_t i = 0; i < m; i++) {
    const std::vector<double> a = as_stored(set, all.format, x.data() + i * k, k);
    for (int64_t j = 0; j < n; j++) {
      const uint8_t* row = source.data() + static_cast<size_t>(j) * source_row_bytes(facts.type, k);
      double sum = 0, magnitude = 0;
      for (int64_t l = 0; l < k; l++) {
        const Weight w = multiplied(set, facts.type, row, l);
        sum += (w.product - w.min) * a[static_cast<size_t>(l)];
        magnitude +=
            (std::fabs(w.product) + std::fabs(w.min)) * std::fabs(a[static_cast<size_t>(l)]);
      }
      const double error = std::fabs(out.as<float>()[i * stride + j] - sum);
      // Written so that a NaN fails.
      if (!(error <= 1e-5 * magnitude + 1e-37)) worst = std::numeric_limits<double>::infinity();
      if (magnitude > 1e-30) worst = std::max(worst, error / magnitude);
    }
  }
  CHECK(worst < 1e-5, "%s %s m %lld n %lld k %lld style %d: relative error %g", set.name,
        facts.name, static_cast<long long>(m), static_cast<long long>(n), static_cast<long long>(k),
        static_cast<int>(style), worst);

  // Gaps between rows stay untouched.
  bool gaps = true;
  for (int64_t i = 0; i + 1 < m; i++)
    for (int64_t j = n; j < stride; j++) {
      uint32_t bits;
      std::memcpy(&bits, out.as<float>() + i * stride + j, 4);
      gaps = gaps && bits == 0xffffffffu;
    }
  CHECK(gaps, "%s %s wrote between rows", set.name, facts.name);

  // The same bits from any number of parts …
  for (int nth : {2, 3, 7}) {
    Aligned parts(out.bytes);
    for (int ith = nth - 1; ith >= 0; ith--)
      set.matmul(weights, all.rows(), parts.as<float>(), stride, nullptr, 0, ith, nth);
    CHECK(std::memcmp(parts.data, out.data, out.bytes) == 0, "%s %s: %d parts", set.name,
          facts.name, nth);
  }
  // … for a row in a batch of another size, at another place …
  for (int64_t few : {int64_t{1}, integer(1, m), integer(1, m)}) {
    const int64_t first = integer(0, m - few);
    Product some(set, facts.type, k, few);
    for (int64_t i = 0; i < few; i++) set.store_row(x.data() + (first + i) * k, some.rows(), i);
    Aligned part(static_cast<size_t>(few * n) * sizeof(float));
    set.matmul(weights, some.rows(), part.as<float>(), n, nullptr, 0, 0, 1);
    bool equal = true;
    for (int64_t i = 0; i < few; i++)
      equal = equal && same(part.as<float>() + i * n, out.as<float>() + (first + i) * stride, n);
    CHECK(equal, "%s %s: rows %lld + %lld of %lld alone", set.name, facts.name,
          static_cast<long long>(first), static_cast<long long>(few), static_cast<long long>(m));
  }
  // … and adding is adding to the finished sum, in place too.
  const std::vector<float> residual = random_floats(m * n);
  std::vector<float> in_place = residual;
  set.matmul(weights, all.rows(), in_place.data(), n, in_place.data(), n, 0, 1);
  bool added = true;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      const float expected =
          out.as<float>()[i * stride + j] + residual[static_cast<size_t>(i * n + j)];
      added = added && same(&in_place[static_cast<size_t>(i * n + j)], &expected, 1);
    }
  CHECK(added, "%s %s: add", set.name, facts.name);
}

// The gated product is what its steps are, in any number of parts, and writes nothing else.
void test_gated(const Kernels& set, const TypeFacts& facts, int64_t m, int64_t n, int64_t k) {
  if (set.matmul_swiglu == nullptr) return;
  const std::vector<uint8_t> source[] = {random_source(facts, n, k, Style::kRandom),
                                         random_source(facts, n, k, Style::kRandom)};
  const size_t bytes = set.packed_bytes(facts.type, n, k);
  Aligned packed[] = {Aligned(bytes), Aligned(bytes)};
  const std::vector<float> x = random_floats(m * k, 0.1);
  Product rows(set, facts.type, k, m), by_steps(set, facts.type, n, m);
  for (int64_t i = 0; i < m; i++) set.store_row(x.data() + i * k, rows.rows(), i);
  std::vector<float> floats[] = {std::vector<float>(static_cast<size_t>(m * n)),
                                 std::vector<float>(static_cast<size_t>(m * n))};
  for (int i = 0; i < 2; i++) {
    set.pack(facts.type, source[i].data(), n, k, 0, n / set.panel, packed[i].data);
    set.matmul({facts.type, n, k, packed[i].data}, rows.rows(), floats[i].data(), n, nullptr, 0, 0,
               1);
  }
  for (int64_t i = 0; i < m; i++)
    set.swiglu_row(floats[0].data() + i * n, floats[1].data() + i * n, by_steps.rows(), i);
  for (int nth : {1, 2, 5}) {
    Product gated(set, facts.type, n, m);
    for (int ith = nth - 1; ith >= 0; ith--)
      set.matmul_swiglu({facts.type, n, k, packed[0].data}, {facts.type, n, k, packed[1].data},
                        rows.rows(), gated.rows(), ith, nth);
    CHECK(gated.memory.intact() &&
              std::memcmp(gated.memory.data, by_steps.memory.data, gated.memory.bytes) == 0,
          "%s %s: gated, m %lld n %lld k %lld, %d parts", set.name, facts.name,
          static_cast<long long>(m), static_cast<long long>(n), static_cast<long long>(k), nth);
  }
}

}  // namespace

void test_products(const Kernels& set) {
  for (const TypeFacts& facts : kTypes) {
    for (int64_t m : {1, 16, 17, 40}) test_gated(set, facts, m, 96, 512);
    test_gated(set, facts, 70, 64, 2048);
    test_gated(set, facts, 6 * 25 + 4, 64, 512);
    test_gated(set, facts, 6 * 117 + 1, 32, 256);
    CHECK(set.packable(static_cast<uint32_t>(facts.type), 256), "%s", facts.name);
    CHECK(
        source_row_bytes(facts.type, 512) == static_cast<size_t>(512 / facts.values * facts.bytes),
        "%s", facts.name);
    CHECK(static_cast<double>(set.packed_bytes(facts.type, 64, 1024)) <=
              1.032 * static_cast<double>(64 * source_row_bytes(facts.type, 1024)),
          "%s grows when packed", facts.name);
    const int64_t unit = std::max<int64_t>(facts.values, 32);
    for (Style style : kStyles) test_matmul(set, facts, 7, 33, unit * 3, style);
    test_matmul(set, facts, 1, 1, unit, Style::kRandom);
    test_matmul(set, facts, 2, 16, unit * 5, Style::kRandom);
    test_matmul(set, facts, 12, 17, unit * 2, Style::kRandom);
    test_matmul(set, facts, 29, 50, 512, Style::kRandom);
    test_matmul(set, facts, 3, 20, 3072, Style::kRandom);
    test_matmul(set, facts, 5, 8, 9728, Style::kLowest);
    for (int64_t m = 1; m <= 13; m++)
      test_matmul(set, facts, m, integer(1, 70), 256, Style::kRandom);
  }
  // More rows than one chunk takes; and whole chunks of k.
  test_matmul(set, kTypes[0], 131, 40, 4096, Style::kRandom);
  test_matmul(set, kTypes[0], 70, 70, 1024, Style::kRandom);
  // Rows enough that weights are made ready for all of them, and a last group that is not whole.
  for (const TypeFacts& facts : kTypes) {
    test_matmul(set, facts, 6 * 20 + 1, 49, 512, Style::kRandom);
    test_matmul(set, facts, 6 * 27 + 5, 96, std::max<int64_t>(facts.values, 32) * 3,
                Style::kRandom);
  }
  test_matmul(set, kTypes[0], 6 * 96 + 6 * 21 + 2, 33, 96, Style::kHuge);
}

// Sums that reach furthest: equal values, whose products all have one sign; one value alone.
void test_longest_sums(const Kernels& set) {
  constexpr int64_t k = 64, n = 16;
  for (const TypeFacts& facts : kTypes) {
    if (facts.bytes != 2) continue;
    const uint16_t minus_one = facts.type == WeightType::kF16 ? 0xbc00 : 0xbf80;
    std::vector<uint16_t> weights(n * k, minus_one);
    for (size_t i = k; i < 2 * k; i++) weights[i] = i % 32 == 7 ? minus_one : 0;  // of output 1
    Aligned packed(set.packed_bytes(facts.type, n, k));
    set.pack(facts.type, weights.data(), n, k, 0, 1, packed.data);
    Product product(set, facts.type, k, 2);
    std::vector<float> x(2 * k, 3.0f);
    for (size_t i = k; i < 2 * k; i++) x[i] = i % 32 == 7 ? 3.0f : 0;
    for (int64_t i = 0; i < 2; i++) set.store_row(x.data() + i * k, product.rows(), i);
    float out[2 * n];
    set.matmul({facts.type, n, k, packed.data}, product.rows(), out, n, nullptr, 0, 0, 1);
    for (int i = 0; i < 2 * n; i++) {
      const float expected = i == 0 || (i > 1 && i < n) ? -192.0f : -6.0f;
      CHECK(std::fabs(out[i] - expected) < 1e-4f * std::fabs(expected), "%s %s: %g, not %g",
            set.name, facts.name, static_cast<double>(out[i]), static_cast<double>(expected));
    }
  }
}

void test_non_finite(const Kernels& set) {
  for (const TypeFacts& facts : kTypes) {
    const int64_t k = 256, n = 20, m = 5;
    const std::vector<uint8_t> source = random_source(facts, n, k, Style::kRandom);
    Aligned packed(set.packed_bytes(facts.type, n, k));
    set.pack(facts.type, source.data(), n, k, 0, (n + set.panel - 1) / set.panel, packed.data);
    for (float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::vector<float> x = random_floats(m * k);
      x[static_cast<size_t>(2 * k + 77)] = bad;
      Product product(set, facts.type, k, m);
      for (int64_t i = 0; i < m; i++) set.store_row(x.data() + i * k, product.rows(), i);
      std::vector<float> out(static_cast<size_t>(m * n));
      set.matmul({facts.type, n, k, packed.data}, product.rows(), out.data(), n, nullptr, 0, 0, 1);
      bool right = true;
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          const Weight w = weight_at(
              facts.type, source.data() + static_cast<size_t>(j) * source_row_bytes(facts.type, k),
              77);
          if (i == 2 && w.product == 0 && w.min == 0) continue;
          right = right && std::isfinite(out[static_cast<size_t>(i * n + j)]) == (i != 2);
        }
      CHECK(right, "%s %s: %g", set.name, facts.name, static_cast<double>(bad));
    }
  }
}

}  // namespace qwen3_embed::kernels
