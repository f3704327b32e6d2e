#include <type_traits>

#include "vec_portable.h"
namespace qwen3_embed::kernels {
namespace {
constexpr int kBf16Rows = kRowGroup;
}
}  // namespace qwen3_embed::kernels
// After the vector type they are written over.
#include "attention_floats.inc.h"
#include "codes_plain.inc.h"
#include "matmul.inc.h"
#include "rows.inc.h"
#include "scan.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u,
                 fraction = half & 1023u;
  uint32_t bits;
  if (exponent == 31)
    bits = sign | 0x7f800000u | fraction << 13;
  else if (exponent)
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  else {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  float out;
  memcpy(&out, &bits, sizeof out);
  return out;
}

// Of block b and output o: 32 codes, then the scale of each half and the minimum.
struct Block {
  int codes[32];
  float scales[2];
  float min;
};

template <class Unit>
void nibbles(const Unit& u, int b, int o, Block& out) {
  for (int i = 0; i < 32; i++) {
    const int g = i / 4;
    out.codes[i] = u.codes[b][g % 4][o * 4 + i % 4] >> (g < 4 ? 0 : 4) & 15;
  }
}

void decode(const PackedQ8_0& u, int b, int o, Block& out) {
  for (int i = 0; i < 32; i++) out.codes[i] = u.codes[b][i / 4][o * 4 + i % 4] - 128;
  out.scales[0] = out.scales[1] = half_to_float(u.d[b][o]);
}

void decode(const PackedQ4_0& u, int b, int o, Block& out) {
  nibbles(u, b, o, out);
  for (int& code : out.codes) code -= 8;
  out.scales[0] = out.scales[1] = half_to_float(u.d[b][o]);
}

void decode(const PackedQ4_K& u, int b, int o, Block& out) {
  nibbles(u, b, o, out);
  out.scales[0] = out.scales[1] = half_to_float(u.d[o]) * u.scales[b][o];
  out.min = half_to_float(u.dmin[o]) * u.mins[b][o];
}

void decode(const PackedQ5_K& u, int b, int o, Block& out) {
  nibbles(u, b, o, out);
  for (int i = 0; i < 32; i++) out.codes[i] |= (u.high[b][o * 4 + i % 4] >> (i / 4) & 1) << 4;
  out.scales[0] = out.scales[1] = half_to_float(u.d[o]) * u.scales[b][o];
  out.min = half_to_float(u.dmin[o]) * u.mins[b][o];
}

void decode(const PackedQ6_K& u, int b, int o, Block& out) {
  nibbles(u, b, o, out);
  for (int i = 0; i < 32; i++) {
    const int g = i / 4;
    out.codes[i] |= (u.high[b][g / 4][o * 4 + i % 4] >> (g % 4 * 2) & 3) << 4;
    out.codes[i] -= 32;
  }
  for (int h = 0; h < 2; h++) out.scales[h] = half_to_float(u.d[o]) * u.scales[b][h][o];
}

template <class Unit>
void tile_q8(const Tile& t) {
  constexpr bool kMins = std::is_same_v<Unit, PackedQ4_K> || std::is_same_v<Unit, PackedQ5_K>;
  constexpr bool kHalves = std::is_same_v<Unit, PackedQ6_K>;
  for (int o = 0; o < t.n_outputs; o++) {
    const auto* rows = static_cast<const RowBlockQ8*>(t.rows);
    const auto* units = reinterpret_cast<const Unit*>(
        static_cast<const char*>(t.panel) + static_cast<size_t>(o / kPanel) * t.panel_bytes);
    float sums[kRowGroup] = {};
    for (int64_t block = 0; block < t.n_blocks; block++) {
      Block weights;
      decode(units[block / Unit::kBlocks], static_cast<int>(block % Unit::kBlocks),
             static_cast<int>(o % kPanel), weights);
      for (int r = 0; r < t.n_rows; r++) {
        int32_t halves[2] = {0, 0};
        for (int i = 0; i < 32; i++) halves[i / 16] += weights.codes[i] * rows[block].codes[r][i];
        const float d = rows[block].d[r];
        if constexpr (kHalves) {
          for (int h = 0; h < 2; h++)
            sums[r] += static_cast<float>(halves[h]) * (weights.scales[h] * d);
        } else {
          sums[r] += static_cast<float>(halves[0] + halves[1]) * (weights.scales[0] * d);
        }
        if constexpr (kMins) sums[r] -= weights.min * rows[block].sum[r];
      }
    }
    for (int r = 0; r < t.n_rows; r++)
      t.out[r * t.out_stride + o] = sums[r] + (t.add ? t.add[r * t.add_stride + o] : 0.0f);
  }
}

float value(const PackedF32& u, int k, int o) { return u.values[k][o]; }
float value(const PackedF16& u, int k, int o) { return half_to_float(u.values[k][o]); }
float value(const PackedBf16& u, int k, int o) {
  const uint32_t bits = static_cast<uint32_t>(u.values[k / 2][o][k % 2]) << 16;
  float out;
  memcpy(&out, &bits, sizeof out);
  return out;
}

template <class Unit>
void tile_f32(const Tile& t) {
  for (int o = 0; o < t.n_outputs; o++) {
    const auto* rows = static_cast<const RowBlockF32*>(t.rows);
    const auto* units = reinterpret_cast<const Unit*>(
        static_cast<const char*>(t.panel) + static_cast<size_t>(o / kPanel) * t.panel_bytes);
    float sums[kRowGroup] = {};
    for (int64_t block = 0; block < t.n_blocks; block++)
      for (int k = 0; k < kBlock; k++) {
        const float w = value(units[block], k, static_cast<int>(o % kPanel));
        for (int r = 0; r < t.n_rows; r++) sums[r] += w * rows[block].values[r][k];
      }
    for (int r = 0; r < t.n_rows; r++)
      t.out[r * t.out_stride + o] = sums[r] + (t.add ? t.add[r * t.add_stride + o] : 0.0f);
  }
}

template <class Unit, class RowBlock>
void tile(const Tile& t) {
  if constexpr (std::is_same_v<RowBlock, RowBlockQ8>) {
    tile_q8<Unit>(t);
  } else {
    tile_f32<Unit>(t);
  }
}

void matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
            const float* add, int64_t add_stride, int ith, int nth) {
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock)                                                 \
  case WeightType::name:                                                                        \
    return each_tile<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride, ith, nth, \
                                     tile<Unit, RowBlock>);
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace

const Kernels kPortable = {"portable",
                           kPanel,
                           panels_packable,
                           panels_bytes,
                           pack_panels,
                           plain_row_format,
                           grouped_rows_bytes,
                           matmul,
                           nullptr,
                           store_row,
                           rms_norm,
                           rms_norm_row,
                           layer_norm,
                           gelu_row,
                           swiglu_row,
                           norm_rope,
                           attention<FloatKeys, FloatValues>,
                           scan};

}  // namespace qwen3_embed::kernels
