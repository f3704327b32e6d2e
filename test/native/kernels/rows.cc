// What is computed row by row, and what rows hold then.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "rows_of.h"
#include "weights.h"

namespace qwen3_embed::kernels {

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
    for (RowFormat format : {RowFormat::kQ8, RowFormat::kQ16, RowFormat::kBf16,
                             RowFormat::kBf16Sums, RowFormat::kF32}) {
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

}  // namespace qwen3_embed::kernels
