// F16 and BF16 weights as 16-bit codes (PackedQ16), for every set of this processor family that
// multiplies such.
#include <immintrin.h>
#include <math.h>

#include <cstring>

#include "layout.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

__m256 widen(WeightType type, const uint8_t* eight) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(eight));
  if (type == WeightType::kF16) return _mm256_cvtph_ps(halves);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

double sum(__m256d a) {
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

float largest_of(__m256 a) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// What a code of 32 values is worth, as BF16 that is rounded up. What is not finite is said by the
// scale alone, and what has no length worth the name counts as zeros.
uint16_t scale_of(double length, float largest) {
  constexpr double kTiny = 1e-30;
  constexpr uint16_t kNan = 0x7fc0;
  if (!(length < HUGE_VAL)) return kNan;
  if (length < kTiny) return 0;
  const auto d =
      fmaxf(static_cast<float>(length / static_cast<double>(kQ16Length)), largest / kQ16Largest);
  uint32_t bits;
  memcpy(&bits, &d, sizeof bits);
  return static_cast<uint16_t>((bits + 0xffffu) >> 16);
}

// Block b of output o, from its 32 values in the file.
void place(PackedQ16& unit, int b, int o, WeightType type, const uint8_t* values) {
  __m256 x[4];
  __m256 magnitudes = _mm256_setzero_ps();
  __m256d squares = _mm256_setzero_pd();
  for (int i = 0; i < 4; i++) {
    x[i] = widen(type, values + i * 16);
    magnitudes = _mm256_max_ps(magnitudes, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x[i]));
    for (int half = 0; half < 2; half++) {
      const __m256d four =
          _mm256_cvtps_pd(half ? _mm256_extractf128_ps(x[i], 1) : _mm256_castps256_ps128(x[i]));
      squares = _mm256_add_pd(squares, _mm256_mul_pd(four, four));
    }
  }
  const uint16_t scale = scale_of(sqrt(sum(squares)), largest_of(magnitudes));
  const bool counts = scale != 0 && (scale & 0x7f80) != 0x7f80;
  const uint32_t bits = static_cast<uint32_t>(scale) << 16;
  float d;
  memcpy(&d, &bits, sizeof d);
  alignas(32) int32_t codes[32] = {};
  if (counts)
    for (int i = 0; i < 4; i++)
      _mm256_store_si256(reinterpret_cast<__m256i*>(codes + i * 8),
                         _mm256_cvtps_epi32(_mm256_div_ps(x[i], _mm256_set1_ps(d))));
  unit.d[b][o] = scale;
  for (int k = 0; k < kBlock; k++) unit.codes[b][k / 2][o][k % 2] = static_cast<int16_t>(codes[k]);
}

}  // namespace

size_t q16_bytes(int64_t n, int64_t k) {
  const int64_t n_units = ceil_div(k / kBlock, PackedQ16::kBlocks);
  return static_cast<size_t>(ceil_div(n, kPanel) * n_units) * sizeof(PackedQ16);
}

void pack_q16(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
              int64_t panel_end, void* packed) {
  const auto* bytes = static_cast<const uint8_t*>(source);
  const int64_t n_blocks = k / kBlock, n_units = ceil_div(n_blocks, PackedQ16::kBlocks);
  const size_t row_bytes = source_row_bytes(type, k), block_bytes = kBlock * sizeof(uint16_t);
  for (int64_t panel = panel_begin; panel < panel_end; panel++) {
    auto* units = static_cast<PackedQ16*>(packed) + panel * n_units;
    const uint8_t* rows = bytes + static_cast<size_t>((panel - panel_begin) * kPanel) * row_bytes;
    const int64_t n_rows = min_of(kPanel, n - panel * kPanel);
    for (int64_t u = 0; u < n_units; u++) {
      // Missing outputs and blocks are zeros, and no byte is left undefined.
      if (n_rows < kPanel || (u + 1) * PackedQ16::kBlocks > n_blocks)
        memset(&units[u], 0, sizeof units[u]);
      for (int64_t b = 0; b < min_of(PackedQ16::kBlocks, n_blocks - u * PackedQ16::kBlocks); b++)
        for (int64_t o = 0; o < n_rows; o++)
          place(units[u], static_cast<int>(b), static_cast<int>(o), type,
                rows + static_cast<size_t>(o) * row_bytes +
                    static_cast<size_t>(u * PackedQ16::kBlocks + b) * block_bytes);
    }
  }
}

}  // namespace qwen3_embed::kernels
