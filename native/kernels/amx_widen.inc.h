// Weights for AMX: codes widened to BF16, two panels at a time; included like rows.inc.h.
#pragma once

#include <type_traits>

#include "amx_bf16.inc.h"
#include "amx_tiles.inc.h"
#include "avx512_decode.inc.h"

namespace qwen3_embed::kernels {
namespace {

// F16 weights become sums of two BF16 numbers, a tile each; what is quantised becomes one.
template <class Unit>
constexpr int kTerms = std::is_same_v<Unit, PackedF16> ? 2 : 1;

// Tiles of weights of a panel that are widened at once: two panels' fit the first-level cache
// beside the rows that pass through it.
constexpr int64_t kChunkTiles = 16;
template <class Unit>
constexpr int64_t kChunk = kChunkTiles / kTerms<Unit>;  // blocks of k

// 32 values of k of 16 outputs, as pairs.
struct alignas(64) WeightTile {
  uint16_t values[16][16][2];
};
static_assert(sizeof(WeightTile) == kTileBytes, "a tile");

// Bytes 16 q … 16 q + 15 of 64 as floats: as they are, or as 128 + byte / 256, which costs no
// conversion (the byte is put into the fraction of 128).
template <bool kAsTheyAre>
__m512 floats(__m512i codes, int q) {
  const __m512i spread =
      _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                       _mm512_set1_epi32(q * 16));
  if constexpr (kAsTheyAre) {
    return _mm512_cvtepi32_ps(_mm512_maskz_permutexvar_epi8(0x1111111111111111u, spread, codes));
  } else {
    return _mm512_castsi512_ps(_mm512_mask_permutexvar_epi8(
        _mm512_set1_epi32(0x43000000), 0x2222222222222222u, _mm512_slli_epi32(spread, 8), codes));
  }
}

// A block: value = code · scale - minimum, rounded once to a float (exactly, for a type without
// minima) and once to BF16.
template <class Unit>
void widen_block(const Unit& unit, int b, WeightTile& to) {
  using Type = Decode<Unit>;
  // Where the scale is the half of the file: 257 times it is exact.
  constexpr bool kPlainScale = !Type::kMins && Type::kParts == 1;
  const __m512i first = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  for (int part = 0; part < Type::kParts; part++) {
    __m512 scale = Type::scale(unit, b, part), min;
    if constexpr (Type::kMins) {
      min = Type::min(unit, b);
    } else if constexpr (!kPlainScale) {
      min = _mm512_mul_ps(scale, _mm512_set1_ps(128));
    } else {
      // (128 + code / 256) · 256 scale - 257 · 128 scale = (code - 128) · scale
      min = _mm512_mul_ps(scale, _mm512_set1_ps(257 * 128));
      scale = _mm512_mul_ps(scale, _mm512_set1_ps(256));
    }
    const __m512 scales[2] = {_mm512_permutexvar_ps(first, scale),
                              _mm512_permutexvar_ps(second, scale)};
    const __m512 mins[2] = {_mm512_permutexvar_ps(first, min), _mm512_permutexvar_ps(second, min)};
    constexpr int kGroups = 8 / Type::kParts;
#pragma GCC unroll 8
    for (int i = 0; i < kGroups; i++) {
      const int g = part * kGroups + i;
      const __m512i codes = Type::codes(unit, b, g);
      for (int pair = 0; pair < 2; pair++) {
        __m512 values[2];
        for (int half = 0; half < 2; half++)
          values[half] = _mm512_fmsub_ps(floats<!kPlainScale>(codes, pair * 2 + half), scales[half],
                                         mins[half]);
        _mm512_store_si512(to.values[g * 2 + pair],
                           reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(values[1], values[0])));
      }
    }
  }
}

template <class Unit>
void widen_block(const Unit& unit, int b, WeightTile (&to)[1]) {
  widen_block(unit, b, to[0]);
}

// Infinity leaves NaN, which is not finite either.
void widen_block(const PackedF16& unit, int, WeightTile (&to)[2]) {
  for (int pair = 0; pair < 16; pair++) {
    const Halves some =
        halves(half_to_float(unit.values[pair * 2]), half_to_float(unit.values[pair * 2 + 1]));
    _mm512_store_si512(to[0].values[pair], interleaved(some.high));
    _mm512_store_si512(to[1].values[pair], interleaved(some.low));
  }
}

// Two panels that are multiplied side by side, or one and null.
template <class Unit>
struct Panels {
  const Unit* first = nullptr;
  const Unit* second = nullptr;

  const Unit* of(bool is_second) const { return is_second ? second : first; }
  Panels from(int64_t unit) const { return {first + unit, second ? second + unit : nullptr}; }
};

// Weights of two panels for a chunk of k: where they stand packed, and widened.
template <class Unit>
class Chunk {
 public:
  Chunk() = default;
  // Of n blocks; the panels start there. `following`: where the chunk after it starts, which is
  // fetched meanwhile: what the processor sees of its stream, a page, is too short to look ahead.
  Chunk(const Panels<Unit>& panels, int64_t n, const Panels<Unit>& following,
        WeightTile (*wide)[kChunkTiles])
      : panels_(panels), following_(following), n_(n), wide_(wide) {}

  int64_t to_widen() const { return (panels_.second ? 2 : 1) * n_ - done_; }
  void widen_one() {
    const bool second = done_ >= n_;
    const int64_t i = second ? done_ - n_ : done_, unit = i / Unit::kBlocks;
    if (i % Unit::kBlocks == 0) fetch(following_.of(second) + unit);
    using Tiles = WeightTile[kTerms<Unit>];
    widen_block(panels_.of(second)[unit], static_cast<int>(i % Unit::kBlocks),
                reinterpret_cast<Tiles&>(wide_[second][i * kTerms<Unit>]));
    done_++;
  }
  void widen() {
    while (to_widen() > 0) widen_one();
  }

  const WeightTile* tiles(int64_t which) const { return wide_[which]; }
  int64_t n_blocks() const { return n_; }

 private:
  static void fetch(const Unit* unit) {
    for (size_t i = 0; i < sizeof(Unit); i += 64) prefetch(reinterpret_cast<const char*>(unit) + i);
  }

  Panels<Unit> panels_, following_;
  int64_t n_ = 0;
  WeightTile (*wide_)[kChunkTiles] = nullptr;
  int64_t done_ = 0;
};

// BF16 weights are packed as tiles: they are only fetched.
template <>
class Chunk<PackedBf16> {
 public:
  Chunk() = default;
  Chunk(const Panels<PackedBf16>& panels, int64_t n, const Panels<PackedBf16>&,
        WeightTile (*)[kChunkTiles])
      : panels_(panels), n_(n) {}
  int64_t to_widen() const { return (panels_.second ? 2 : 1) * n_ - done_; }
  void widen_one() {
    const auto* tile = reinterpret_cast<const char*>(tiles(done_ >= n_) + done_ % n_);
    for (int64_t i = 0; i < kTileBytes; i += 64) prefetch(tile + i);
    done_++;
  }
  void widen() {
    while (to_widen() > 0) widen_one();
  }
  const WeightTile* tiles(int64_t which) const {
    static_assert(sizeof(PackedBf16) == kTileBytes, "a tile");
    return reinterpret_cast<const WeightTile*>(panels_.of(which == 1));
  }
  int64_t n_blocks() const { return n_; }

 private:
  Panels<PackedBf16> panels_;
  int64_t n_ = 0, done_ = 0;
};

}  // namespace
}  // namespace qwen3_embed::kernels
