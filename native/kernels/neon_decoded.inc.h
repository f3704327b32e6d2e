// Products of codes for many rows: weights are decoded to bytes once for all of them, a few blocks
// at a time, and the rows' sums wait between in memory. Bits are those of tiles that
// decode for themselves: the same operations in the same order.
#pragma once

#include <type_traits>

#include "neon_matmul.inc.h"

namespace qwen3_embed::kernels {
namespace {

// Some blocks of a panel.
template <class Unit>
struct Decoded {
  static constexpr int kBlocks = 8;
  int8_t codes[kBlocks][512];
  float scales[kBlocks][Decode<Unit>::kParts][kPanel];
  float mins[kBlocks][kPanel];
};

template <class Unit>
struct Decode<Decoded<Unit>> {
  static constexpr int kShift = Decode<Unit>::kShift, kParts = Decode<Unit>::kParts;
  static constexpr bool kMins = Decode<Unit>::kMins;
  template <int>
  static int8x16_t codes(const Decoded<Unit>& u, int b, Sixteen s) {
    return vld1q_s8(u.codes[b] + s.at);
  }
  static float32x4_t scale(const Decoded<Unit>& u, int b, int part, int output) {
    return vld1q_f32(u.scales[b][part] + output);
  }
  static float32x4_t min(const Decoded<Unit>& u, int b, int output) {
    return vld1q_f32(u.mins[b] + output);
  }
};

template <class Shape, int turn, class Unit>
void decode_turn(const Unit& unit, int b, int8_t (&codes)[512]) {
  for (int i = 0; i < 4; i++) {
    const Sixteen s = Shape::sixteen(turn, i);
    vst1q_s8(codes + s.at, Decode<Unit>::template codes<turn>(unit, b, s));
  }
}

// `n` blocks from `unit` on, at most Decoded's.
template <class Shape, class Unit>
void decode(const Unit* unit, int n, Decoded<Unit>& to) {
  using Type = Decode<Unit>;
  for (int i = 0; i < n; i++) {
    const Unit& from = unit[i / Unit::kBlocks];
    const int b = i % Unit::kBlocks;
    decode_turn<Shape, 0>(from, b, to.codes[i]);
    decode_turn<Shape, 1>(from, b, to.codes[i]);
    decode_turn<Shape, 2>(from, b, to.codes[i]);
    decode_turn<Shape, 3>(from, b, to.codes[i]);
    decode_turn<Shape, 4>(from, b, to.codes[i]);
    decode_turn<Shape, 5>(from, b, to.codes[i]);
    decode_turn<Shape, 6>(from, b, to.codes[i]);
    decode_turn<Shape, 7>(from, b, to.codes[i]);
    for (int o = 0; o < static_cast<int>(kPanel); o += 4) {
      for (int part = 0; part < Type::kParts; part++)
        vst1q_f32(to.scales[i][part] + o, Type::scale(from, b, part, o));
      if constexpr (Type::kMins) vst1q_f32(to.mins[i] + o, Type::min(from, b, o));
    }
  }
}

// A group's sums with eight outputs, as its registers hold them.
template <class Shape>
struct Sums {
  static constexpr int R = kRowGroup / Shape::kRows, V = 8 / Shape::kOutputs;
  float32x4_t at[R][V];
};

template <class Shape, class Unit>
void add_decoded(const Decoded<Unit>& unit, int n, const void* row_blocks, int first,
                 Sums<Shape>& sums) {
  const auto* rows = static_cast<const typename Shape::RowBlock*>(row_blocks);
  Sums<Shape> s = sums;
  for (int b = 0; b < n; b++) add_block<Shape>(unit, b, rows[b], first, s.at);
  sums = s;
}

// A panel, the pair's first or second, times groups [begin, end) of a stretch, at most kAtOnce.
constexpr int64_t kAtOnce = 32;

template <class Shape, class Unit>
void multiply_decoded(const Product& p, const Stretch& stretch, int panel, int64_t begin,
                      int64_t end) {
  constexpr auto kBlocks = int64_t{Decoded<Unit>::kBlocks};
  const auto* units = reinterpret_cast<const Unit*>(p.pair(stretch.pair) +
                                                    static_cast<size_t>(panel) * p.panel_bytes);
  alignas(64) Decoded<Unit> decoded;
  alignas(64) Sums<Shape> sums[kAtOnce][2];
  memset(sums, 0, static_cast<size_t>(end - begin) * sizeof sums[0]);
  for (int64_t block = 0; block < p.n_blocks; block += kBlocks) {
    const int n = static_cast<int>(min_of(kBlocks, p.n_blocks - block));
    decode<Shape>(units + block / Unit::kBlocks, n, decoded);
    for (int64_t g = begin; g < end; g++)
      for (int half = 0; half < 2; half++)
        add_decoded(decoded, n, p.group(g) + static_cast<size_t>(block) * p.block_bytes, half * 8,
                    sums[g - begin][half]);
  }
  for (int64_t g = begin; g < end; g++)
    for (int half = 0; half < 2; half++)
      Shape::finish(tile_of(p, stretch, g), panel * 16 + half * 8, sums[g - begin][half].at);
}

// Part ith of nth: `run` for few rows.
template <class Shape, class Unit>
void product_q8(const Product& p, int ith, int nth, RunTile* run) {
  // Decoding to memory costs as much as decoding in two or three tiles; where there is only a copy
  // to make, its gain, scales that are floats already, is less.
  constexpr int64_t kMany = std::is_same_v<Unit, PackedQ8_0> ? 8 : 4;
  each_stretch(p, groups_at_once(p), ith, nth, [&](const Stretch& s) {
    if (s.last - s.first < kMany) return each_tile_of(p, s, run);
    const int n_panels = p.weights.n - s.pair * kPair > kPanel ? 2 : 1;
    for (int64_t begin = s.first; begin < s.last; begin += kAtOnce)
      for (int panel = 0; panel < n_panels; panel++)
        multiply_decoded<Shape, Unit>(p, s, panel, begin, min_of(begin + kAtOnce, s.last));
  });
}

}  // namespace
}  // namespace qwen3_embed::kernels
