// Every kernel set this processor runs, against sums in double precision and against itself under
// another batch, another split over threads and another cut of the keys. With a name as argument,
// also that the dispatcher's choice is that set; with a second, that set alone.
#include "kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace qwen3_embed::kernels;

namespace {

int passed = 0, failed = 0;

#define CHECK(condition, ...)                     \
  do {                                            \
    if (condition) {                              \
      passed++;                                   \
    } else {                                      \
      failed++;                                   \
      std::printf("%s:%d: ", __FILE__, __LINE__); \
      std::printf("%s: ", #condition);            \
      std::printf(__VA_ARGS__);                   \
      std::printf("\n");                          \
    }                                             \
  } while (0)

std::mt19937 random_bits(20250607);

float normal() { return std::normal_distribution<float>()(random_bits); }
int64_t integer(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random_bits);
}

// Exactly as many bytes as asked for, so that the address sanitizer sees one too many.
struct Aligned {
  explicit Aligned(size_t size) : bytes(size) {
    const size_t slack = kAlignment + size;
    memory.reset(new char[slack]);
    const auto address = reinterpret_cast<uintptr_t>(memory.get());
    data = memory.get() + (kAlignment - address % kAlignment) % kAlignment;
    end = memory.get() + slack;
    // Bits of a NaN: whatever is read without having been written shows.
    std::memset(memory.get(), 0xff, slack);
  }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data);
  }
  bool intact() const {
    for (const char* p = data + bytes; p < end; p++)
      if (*p != '\xff') return false;
    return true;
  }
  size_t bytes;
  std::unique_ptr<char[]> memory;
  char* data;
  char* end;
};

double half_value(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const double magnitude =
      exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
  return h & 0x8000 ? -magnitude : magnitude;
}

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

struct TypeFacts {
  WeightType type;
  const char* name;
  int64_t values, bytes;  // of a source block
};
const TypeFacts kTypes[] = {
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

// As a set multiplies it: sets that take BF16 rows for quantised weights widen these to BF16.
Weight multiplied(const Kernels& set, WeightType type, const uint8_t* row, int64_t k) {
  const Weight w = weight_at(type, row, k);
  const bool quantised = find("portable")->row_format(type) == RowFormat::kQ8;
  if (!quantised || set.row_format(type) != RowFormat::kBf16) return w;
  return {bf16_value(nearest_bf16(static_cast<float>(w.product - w.min))), 0};
}

enum class Style { kRandom, kLowest, kHighest, kZero, kSubnormal, kHuge };
const Style kStyles[] = {Style::kRandom, Style::kLowest,    Style::kHighest,
                         Style::kZero,   Style::kSubnormal, Style::kHuge};

uint16_t random_half(Style style) {
  if (style == Style::kSubnormal)
    return static_cast<uint16_t>(integer(0, 1023) | integer(0, 1) << 15);
  if (style == Style::kHuge) return static_cast<uint16_t>(0x7bff | integer(0, 1) << 15);
  return static_cast<uint16_t>(integer(0x0800, 0x3400) | integer(0, 1) << 15);
}

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

std::vector<float> random_floats(int64_t n, double scale = 1) {
  std::vector<float> out(static_cast<size_t>(n));
  for (float& f : out) f = normal() * static_cast<float>(scale);
  return out;
}

// Whether a set's rows of codes have scales of nine bits.
bool scales_in_steps(const Kernels& set) { return std::strncmp(set.name, "avx512", 6) == 0; }

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

// What the row's format makes of x, by the definition of the format.
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
    if (format == RowFormat::kQ8) {
      const Scale scale = code_scale(set, x + i / 32 * 32);
      out[at] =
          static_cast<double>(std::nearbyint(x[i] * scale.inverse)) * static_cast<double>(scale.d);
    }
  }
  return out;
}

struct Product {
  Product(const Kernels& kernels, WeightType weight_type, int64_t inputs, int64_t row_count)
      : set(kernels),
        type(weight_type),
        k(inputs),
        m(row_count),
        format(set.row_format(type)),
        memory(set.rows_bytes(format, m, k)) {}
  Rows rows() { return {format, m, k, memory.data}; }

  const Kernels& set;
  WeightType type;
  int64_t k, m;
  RowFormat format;
  Aligned memory;
};

bool same(const float* a, const float* b, int64_t n) {
  return std::memcmp(a, b, static_cast<size_t>(n) * sizeof(float)) == 0;
}

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
              1.03 * static_cast<double>(64 * source_row_bytes(facts.type, 1024)),
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

// ---- rows ----

void test_rows(const Kernels& set) {
  for (int64_t k : {32, 96, 128, 1024, 2560}) {
    const std::vector<float> x = random_floats(k, 3), weight = random_floats(k),
                             up = random_floats(k);
    double squares = 0;
    for (float f : x) squares += static_cast<double>(f) * f;
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(k) + 1e-6);

    std::vector<float> normed(x.size());
    set.rms_norm(x.data(), weight.data(), 1e-6f, k, normed.data());
    double worst = 0;
    for (size_t i = 0; i < x.size(); i++) {
      const double expected = x[i] * inverse * weight[i];
      worst = std::max(worst, std::fabs(normed[i] - expected) / (std::fabs(expected) + 1e-9));
    }
    CHECK(worst < 1e-6, "%s rms_norm: %g", set.name, worst);
    std::vector<float> in_place = x;
    set.rms_norm(in_place.data(), weight.data(), 1e-6f, k, in_place.data());
    CHECK(same(in_place.data(), normed.data(), k), "%s rms_norm in place", set.name);

    double mean = 0, variance = 0;
    for (float f : x) mean += static_cast<double>(f) / static_cast<double>(k);
    for (float f : x) variance += (f - mean) * (f - mean) / static_cast<double>(k);
    set.layer_norm(x.data(), weight.data(), up.data(), 1e-6f, k, normed.data());
    worst = 0;
    for (size_t i = 0; i < x.size(); i++) {
      const double expected = (x[i] - mean) / std::sqrt(variance + 1e-6) * weight[i] + up[i];
      worst = std::max(worst, std::fabs(normed[i] - expected) / (std::fabs(expected) + 1));
    }
    CHECK(worst < 2e-6, "%s layer_norm: %g", set.name, worst);
    in_place = x;
    set.layer_norm(in_place.data(), weight.data(), up.data(), 1e-6f, k, in_place.data());
    CHECK(same(in_place.data(), normed.data(), k), "%s layer_norm in place", set.name);
    set.rms_norm(x.data(), weight.data(), 1e-6f, k, normed.data());

    std::vector<float> activated(x.size());
    for (size_t i = 0; i < x.size(); i++)
      activated[i] = static_cast<float>(x[i] / (1 + std::exp(-static_cast<double>(x[i]))) * up[i]);

    // The fused forms hold what storing the plain result would, at any row.
    for (RowFormat format :
         {RowFormat::kQ8, RowFormat::kBf16, RowFormat::kBf16Sums, RowFormat::kF32}) {
      Aligned plain(set.rows_bytes(format, 8, k)), fused(set.rows_bytes(format, 8, k)),
          glu(set.rows_bytes(format, 8, k));
      const Rows plain_rows{format, 8, k, plain.data}, fused_rows{format, 8, k, fused.data};
      for (int64_t row : {5, 0, 7}) {
        set.store_row(normed.data(), plain_rows, row);
        set.rms_norm_row(x.data(), weight.data(), 1e-6f, fused_rows, row);
      }
      CHECK(std::memcmp(plain.data, fused.data, plain.bytes) == 0, "%s rms_norm_row", set.name);
      set.swiglu_row(x.data(), up.data(), {format, 8, k, glu.data}, 0);
      set.gelu_row(x.data(), {format, 8, k, glu.data}, 3);
      if (format == RowFormat::kF32) {
        worst = 0;
        for (int64_t i = 0; i < k; i++) {
          const float got = glu.as<float>()[i / 32 * 192 + 3 * 32 + i % 32];
          const double a = x[static_cast<size_t>(i)];
          worst = std::max(worst, std::fabs(got - a * 0.5 * std::erfc(-a / std::sqrt(2.0))) /
                                      (std::fabs(a) + 1));
        }
        CHECK(worst < 4e-7, "%s gelu: %g", set.name, worst);
        worst = 0;
        for (int64_t i = 0; i < k; i++) {
          const float got = glu.as<float>()[i / 32 * 192 + i % 32];
          const double expected = activated[static_cast<size_t>(i)];
          worst = std::max(worst, std::fabs(got - expected) / (std::fabs(expected) + 1e-9));
        }
        CHECK(worst < 1e-6, "%s swiglu: %g", set.name, worst);
      }
      CHECK(plain.intact() && fused.intact() && glu.intact(), "%s rows wrote beyond", set.name);
    }
  }

  // Far ends of silu.
  std::vector<float> gate(32, 0.0f), ones(32, 1.0f);
  gate[0] = -1000, gate[1] = -87.5f, gate[2] = 1000, gate[3] = -20, gate[4] = 88, gate[5] = -1e30f;
  Aligned glu(set.rows_bytes(RowFormat::kF32, 1, 32));
  set.swiglu_row(gate.data(), ones.data(), {RowFormat::kF32, 1, 32, glu.data}, 0);
  for (size_t i = 0; i < 6; i++) {
    const double expected = gate[i] / (1 + std::exp(-static_cast<double>(gate[i])));
    CHECK(std::fabs(glu.as<float>()[i] - expected) <= 1e-5 * std::fabs(expected) + 1e-7,
          "%s silu(%g) = %g", set.name, static_cast<double>(gate[i]),
          static_cast<double>(glu.as<float>()[i]));
  }
}

// Every set stores the same codes and scales, of ordinary blocks and of odd ones.
void test_quantisation(const Kernels& set) {
  constexpr int64_t kRows = 12, kValues = 64;
  std::vector<float> x = random_floats(kRows * kValues);
  float* row = x.data();
  for (int64_t i = 0; i < 32; i++) row[i] = 1e-38f * static_cast<float>(i);  // flushed
  for (int64_t i = 32; i < 64; i++) row[i] = 0;
  for (int64_t i = 64; i < 96; i++) row[i] = 1e29f * normal();
  for (int64_t i = 96; i < 128; i++)
    row[i] = static_cast<float>(i - 96) * 0.5f * 8.1f;  // ties and near ties
  row[130] = -std::numeric_limits<float>::infinity();
  row[200] = std::numeric_limits<float>::quiet_NaN();
  Aligned got(set.rows_bytes(RowFormat::kQ8, kRows, kValues)), expected(got.bytes);
  const Rows rows{RowFormat::kQ8, kRows, kValues, got.data};
  for (int64_t i = 0; i < kRows; i++) set.store_row(x.data() + i * kValues, rows, i);
  if (!scales_in_steps(set) && std::strcmp(set.name, "neon-i8mm") != 0) {  // in portable's layout
    for (int64_t i = 0; i < kRows; i++)
      find("portable")
          ->store_row(x.data() + i * kValues, {RowFormat::kQ8, kRows, kValues, expected.data}, i);
    CHECK(std::memcmp(got.data, expected.data, got.bytes) == 0, "%s quantises differently",
          set.name);
  }
  if (set.row_format(WeightType::kQ8_0) != RowFormat::kQ8) return;

  // Times the identity: each value as it is stored, and nothing finite of rows that are not.
  std::vector<uint8_t> identity(kValues * kValues / 32 * 34);
  for (int64_t i = 0; i < kValues; i++) {
    uint8_t* blocks = identity.data() + i * kValues / 32 * 34;
    for (int64_t b = 0; b < kValues / 32; b++) blocks[b * 34 + 1] = 0x3c;
    blocks[i / 32 * 34 + 2 + i % 32] = 1;
  }
  Aligned packed(set.packed_bytes(WeightType::kQ8_0, kValues, kValues));
  set.pack(WeightType::kQ8_0, identity.data(), kValues, kValues, 0, kValues / set.panel,
           packed.data);
  std::vector<float> out(kRows * kValues);
  set.matmul({WeightType::kQ8_0, kValues, kValues, packed.data}, rows, out.data(), kValues, nullptr,
             0, 0, 1);
  bool right = true;
  for (int64_t i = 0; i < kRows; i++) {
    const std::vector<double> stored =
        as_stored(set, RowFormat::kQ8, x.data() + i * kValues, kValues);
    for (int64_t j = 0; j < kValues; j++) {
      const float value = out[static_cast<size_t>(i * kValues + j)];
      const double expected_value = stored[static_cast<size_t>(j)];
      right = right && (i == 2 || i == 3 ? !std::isfinite(value)
                                         : std::fabs(value - expected_value) <=
                                               1e-6 * std::fabs(expected_value));
    }
  }
  CHECK(right, "%s stores other values", set.name);
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

void test_rope(const Kernels& set) {
  for (int64_t head_dim : {32, 64, 128}) {
    const int64_t heads = 3, stride = head_dim + 5, half = head_dim / 2;
    for (bool with_norm : {true, false}) {
      const std::vector<float> x = random_floats(heads * stride, 2),
                               weight = random_floats(head_dim);
      std::vector<float> y = x, angles(static_cast<size_t>(head_dim));
      rope_angles(12345, head_dim, 1e6, nullptr, angles.data());
      set.norm_rope(y.data(), heads, stride, head_dim, with_norm ? weight.data() : nullptr, 1e-6f,
                    angles.data());
      double worst = 0;
      for (int64_t h = 0; h < heads; h++) {
        double squares = 0;
        for (int64_t i = 0; i < head_dim; i++)
          squares += std::pow(x[static_cast<size_t>(h * stride + i)], 2.0);
        const double scale =
            with_norm ? 1 / std::sqrt(squares / static_cast<double>(head_dim) + 1e-6) : 1;
        const auto value = [&](int64_t i) {
          return x[static_cast<size_t>(h * stride + i)] * scale *
                 (with_norm ? weight[static_cast<size_t>(i)] : 1.0f);
        };
        for (int64_t i = 0; i < half; i++) {
          const double angle =
              12345 * std::pow(1e6, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
          const double a = value(i) * std::cos(angle) - value(i + half) * std::sin(angle);
          const double b = value(i) * std::sin(angle) + value(i + half) * std::cos(angle);
          worst = std::max(worst, std::fabs(a - y[static_cast<size_t>(h * stride + i)]));
          worst = std::max(worst, std::fabs(b - y[static_cast<size_t>(h * stride + half + i)]));
        }
        for (int64_t i = head_dim; i < stride; i++)
          worst = std::max(worst,
                           std::fabs(static_cast<double>(y[static_cast<size_t>(h * stride + i)] -
                                                         x[static_cast<size_t>(h * stride + i)])));
      }
      CHECK(worst < 2e-6, "%s norm_rope %lld: %g", set.name, static_cast<long long>(head_dim),
            worst);
    }
  }
}

// ---- attention ----

// One sequence's queries, keys and values for one KV head, as a pass would hold them.
struct Sequence {
  int64_t length, group, head_dim;
  std::vector<float> q, k, v;  // (length, group * head_dim), (length, head_dim)

  Sequence(int64_t tokens, int64_t heads, int64_t width)
      : length(tokens),
        group(heads),
        head_dim(width),
        q(random_floats(tokens * heads * width)),
        k(random_floats(tokens * width)),
        v(random_floats(tokens * width)) {}
};

// Queries [begin, end) with the keys in the given runs, each copied to a place of its own with a
// stride of its own.
std::vector<float> attend(const Kernels& set, const Sequence& s, int64_t begin, int64_t end,
                          const std::vector<int64_t>& cuts, bool may_round, bool is_causal = true) {
  const int64_t stride = s.head_dim + 8;
  std::vector<std::vector<float>> k, v;
  std::vector<KeyRun> runs;
  for (size_t i = 0; i + 1 < cuts.size(); i++) {
    const int64_t count = cuts[i + 1] - cuts[i];
    k.emplace_back(static_cast<size_t>(count * stride));
    v.emplace_back(static_cast<size_t>(count * stride));
    for (int64_t j = 0; j < count; j++) {
      std::copy_n(s.k.begin() + (cuts[i] + j) * s.head_dim, s.head_dim,
                  k.back().begin() + j * stride);
      std::copy_n(s.v.begin() + (cuts[i] + j) * s.head_dim, s.head_dim,
                  v.back().begin() + j * stride);
    }
    runs.push_back({k.back().data(), v.back().data(), count});
  }
  Aligned scratch(kAttentionScratch);
  std::vector<float> out(static_cast<size_t>((end - begin) * s.group * s.head_dim));
  Attention a{};
  a.head_dim = s.head_dim;
  a.group = s.group;
  a.scale = 1 / std::sqrt(static_cast<float>(s.head_dim));
  a.may_round = may_round;
  a.is_causal = is_causal;
  a.n_keys = cuts.back();
  a.position = begin;
  a.n_queries = end - begin;
  a.q = s.q.data() + begin * s.group * s.head_dim;
  a.q_token_stride = s.group * s.head_dim;
  a.q_head_stride = s.head_dim;
  a.runs = runs.data();
  a.n_runs = static_cast<int64_t>(runs.size());
  a.k_token_stride = a.v_token_stride = stride;
  a.out = out.data();
  a.out_token_stride = s.group * s.head_dim;
  a.out_head_stride = s.head_dim;
  a.scratch = scratch.data;
  set.attention(a);
  CHECK(scratch.intact(), "%s attention wrote beyond its scratch", set.name);
  return out;
}

std::vector<int64_t> random_cuts(int64_t length) {
  std::vector<int64_t> cuts = {0, length};
  for (int64_t i = integer(0, 6); i > 0; i--) cuts.push_back(integer(0, length));
  std::sort(cuts.begin(), cuts.end());
  return cuts;  // runs without keys included
}

double length_of(const float* x, int64_t n) {
  double squares = 0;
  for (int64_t i = 0; i < n; i++) squares += static_cast<double>(x[i]) * x[i];
  return std::sqrt(squares);
}

bool has_codes(const Kernels& set) {
  return std::strncmp(set.name, "avx", 3) == 0 || std::strcmp(set.name, "amx") == 0;
}
bool has_bf16(const Kernels& set) { return set.row_format(WeightType::kBf16) == RowFormat::kBf16; }

void test_attention(const Kernels& set, bool may_round) {
  const char* form = may_round ? "rounded attention" : "attention";
  const bool codes = may_round && has_codes(set);
  const bool bf16 = may_round && has_bf16(set);
  const int64_t shapes[][3] = {{1, 2, 128},  {12, 2, 128},  {63, 1, 64},  {64, 4, 128},
                               {65, 2, 128}, {150, 2, 128}, {200, 5, 32}, {333, 4, 256},
                               {130, 8, 8},  {16, 1, 128},  {70, 3, 40}};
  for (const auto& shape : shapes) {
    Sequence s(shape[0], shape[1], shape[2]);
    // Some scores stand far out, so that the running maximum moves.
    for (int64_t i = 0; i < s.length; i++)
      if (integer(0, 9) == 0)
        for (int64_t d = 0; d < s.head_dim; d++) s.k[static_cast<size_t>(i * s.head_dim + d)] *= 20;
    const std::vector<float> whole = attend(set, s, 0, s.length, {0, s.length}, may_round);

    // Scores are sums in floats, so their error grows with their size, and a weight's relative
    // error is a score's error. Codes are off by 1.3e-5 (rms) of the lengths of q and k
    // instead; eight times that is allowed.
    double worst = 0, reach = 0, lengths = 0;
    for (int64_t i = 0; i < s.length; i++)
      for (int64_t h = 0; h < s.group; h++) {
        const float* q = s.q.data() + (i * s.group + h) * s.head_dim;
        std::vector<double> weights(static_cast<size_t>(i + 1));
        double top = -1e300, total = 0;
        for (int64_t j = 0; j <= i; j++) {
          double dot = 0;
          for (int64_t d = 0; d < s.head_dim; d++)
            dot += static_cast<double>(q[d]) * s.k[static_cast<size_t>(j * s.head_dim + d)];
          weights[static_cast<size_t>(j)] = dot / std::sqrt(static_cast<double>(s.head_dim));
          top = std::max(top, weights[static_cast<size_t>(j)]);
          reach = std::max(reach, std::fabs(weights[static_cast<size_t>(j)]));
          lengths = std::max(lengths, length_of(q, s.head_dim) *
                                          length_of(s.k.data() + j * s.head_dim, s.head_dim) /
                                          std::sqrt(static_cast<double>(s.head_dim)));
        }
        for (double& w : weights) total += w = std::exp(w - top);
        for (int64_t d = 0; d < s.head_dim; d++) {
          double expected = 0, magnitude = 0;
          for (int64_t j = 0; j <= i; j++) {
            const double term = weights[static_cast<size_t>(j)] / total *
                                s.v[static_cast<size_t>(j * s.head_dim + d)];
            expected += term;
            magnitude += std::fabs(term);
          }
          const float got = whole[static_cast<size_t>((i * s.group + h) * s.head_dim + d)];
          worst = std::max(worst, std::fabs(got - expected) / magnitude);
          if (!std::isfinite(got)) worst = 1;
        }
      }
    const double allowed =
        2e-6 + 1e-6 * reach + (codes ? 1e-4 * lengths : 0) + (bf16 ? 1 / 256.0 : 0);
    CHECK(worst < allowed, "%s %s %lld: %g of %g, scores up to %g", set.name, form,
          static_cast<long long>(s.length), worst, allowed, reach);
    if (may_round && !codes)
      CHECK(attend(set, s, 0, s.length, {0, s.length}, false) == whole, "%s rounds", set.name);

    // Without causality every token sees what the last one does.
    const int64_t width = s.group * s.head_dim;
    const std::vector<float> both = attend(set, s, 0, s.length, {0, s.length}, may_round, false);
    for (int64_t i = 0; i < s.length; i += 13) {
      Sequence moved = s;
      std::copy_n(s.q.begin() + i * width, width, moved.q.begin() + (s.length - 1) * width);
      const std::vector<float> last =
          attend(set, moved, s.length - 1, s.length, {0, s.length}, may_round);
      CHECK(same(last.data(), both.data() + i * width, width),
            "%s %s: token %lld of %lld, all seen", set.name, form, static_cast<long long>(i),
            static_cast<long long>(s.length));
    }

    for (int trial = 0; trial < 12; trial++) {
      // A stretch of the queries, its keys cut at random; sometimes with keys beyond the last
      // query.
      const int64_t begin = integer(0, s.length - 1), end = integer(begin + 1, s.length);
      const std::vector<float> part =
          attend(set, s, begin, end, random_cuts(trial % 3 ? end : s.length), may_round);
      CHECK(same(part.data(), whole.data() + begin * width, (end - begin) * width),
            "%s %s: queries %lld to %lld of %lld", set.name, form, static_cast<long long>(begin),
            static_cast<long long>(end), static_cast<long long>(s.length));
    }
  }
}

// What is not finite in a token's query stays with it; in its key or value, with it and those
// after.
void test_attention_non_finite(const Kernels& set, bool may_round) {
  const bool codes = may_round && has_codes(set);
  const Sequence clean(100, 2, 64);
  const std::vector<float> expected = attend(set, clean, 0, 100, {0, 100}, may_round);
  const auto row = [](std::vector<float>& rows, int64_t width) { return rows.data() + 70 * width; };
  const auto spoilt = [&](const Sequence& s) {
    std::vector<bool> tokens;
    const std::vector<float> got = attend(set, s, 0, 100, {0, 100}, may_round);
    for (int64_t i = 0; i < 100; i++) {
      bool finite = true;
      for (int64_t d = 0; d < 128; d++)
        finite = finite && std::isfinite(got[static_cast<size_t>(i * 128 + d)]);
      tokens.push_back(!finite);
      if (finite && i < 64)
        CHECK(same(got.data() + i * 128, expected.data() + i * 128, 128), "%s: token %lld changed",
              set.name, static_cast<long long>(i));
    }
    return tokens;
  };
  for (const float bad : {NAN, HUGE_VALF}) {
    Sequence query = clean, key = clean, value = clean;
    row(query.q, 128)[3] = bad;
    // In floats an infinite key may score -infinity, and weigh 0.
    row(key.k, 64)[3] = codes ? bad : NAN;
    row(value.v, 64)[3] = bad;
    const std::vector<bool> by_query = spoilt(query), by_key = spoilt(key),
                            by_value = spoilt(value);
    for (size_t i = 0; i < 100; i++) {
      CHECK(by_query[i] == (i == 70), "%s: token %zu after a bad query", set.name, i);
      CHECK(by_key[i] == (i >= 70), "%s: token %zu after a bad key", set.name, i);
      if (i < 64 || i >= 70)  // between them a tile may share the value, times 0
        CHECK(by_value[i] == (i >= 70), "%s: token %zu after a bad value", set.name, i);
    }
  }
}

void test_scan(const Kernels& set) {
  for (const int64_t width : {1, 31, 64, 77, 1024}) {
    std::vector<int8_t> codes(static_cast<size_t>(5 * width)), query(static_cast<size_t>(width));
    for (size_t i = 0; i < codes.size(); i++)
      codes[i] = static_cast<int8_t>(static_cast<int>(i * 7919 % 256) - 128);
    for (size_t i = 0; i < query.size(); i++)
      query[i] = static_cast<int8_t>(static_cast<int>(i * 104729 % 256) - 128);
    int32_t sums[5];
    set.scan(codes.data(), 5, width, query.data(), sums);
    for (int64_t row = 0; row < 5; row++) {
      int32_t expected = 0;
      for (int64_t i = 0; i < width; i++)
        expected += codes[static_cast<size_t>(row * width + i)] * query[static_cast<size_t>(i)];
      CHECK(sums[row] == expected, "%s: %d, not %d", set.name, sums[row], expected);
    }
  }
}

void test_dispatch(const char* expected) {
  CHECK(best() != nullptr && best() == available(0), "a set for every processor");
  CHECK(find("portable") != nullptr && find("no such set") == nullptr, "names");
  CHECK(available(-1) == nullptr && available(100) == nullptr, "ends");
  CHECK(!best()->packable(12345, 256) && !best()->packable(8, 48) && !best()->packable(12, 128) &&
            !best()->packable(8, 0),
        "refusals");
  if (expected)
    CHECK(std::strcmp(best()->name, expected) == 0, "chose %s, not %s", best()->name, expected);
}

}  // namespace

int main(int argc, char** argv) {
  test_dispatch(argc > 1 ? argv[1] : nullptr);
  for (int i = 0; const Kernels* set = available(i); i++) {
    if (argc > 2 && std::strcmp(set->name, argv[2]) != 0) continue;
    const int before = failed;
    test_products(*set);
    test_rows(*set);
    test_quantisation(*set);
    test_non_finite(*set);
    test_rope(*set);
    test_scan(*set);
    for (const bool may_round : {false, true}) {
      test_attention(*set, may_round);
      test_attention_non_finite(*set, may_round);
    }
    std::printf("%s: %s\n", set->name, failed == before ? "ok" : "FAILED");
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
