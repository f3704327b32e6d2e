// What attention by tiles reads: where it stands in the scratch, and how keys, values and queries
// get there; included like attention.inc.h.
#pragma once

#include <cstring>

#include "amx_bf16.inc.h"
#include "amx_tiles.inc.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kKeys = 128;  // in a block
constexpr int64_t kStep = 32;   // BF16 numbers in a row of a tile: dims of a key, keys of a weight
constexpr int64_t kLanes = 2 * kTileRows;
constexpr int64_t kCodes = kTileBytes / 2, kFloats = kTileBytes / 4;  // in a tile
constexpr float kLowest =
    -3e38f;  // below any score; not -infinity, whose difference with itself is NaN
static_assert(kAttentionRows % kLanes == 0, "pairs of tiles");

// A tile's load waits for every store before it that looks alike in the last 12 bits of its
// address, so it matters where things stand in a page. Products of the d-th 32 dims load the lower
// or the upper half of pages, for an even or an odd d. What is stored beside them lies in the same
// half, which the next loads leave alone.
constexpr int64_t kPage = 4096;

// Lanes 0 … 7 of a tile in the lower half of a page, the others in the upper.
struct alignas(kPage / kTileRows) LaneState {
  float total[16];  // running sum of weights, to be added up
  float highest;    // running maximum
  float rescale;    // that earlier outputs are yet to be multiplied by
  int32_t limit;    // position of the lane's query
};

// 16 lanes by 16 keys.
struct ScoreTile {
  float values[kTileRows][16];
};

// The caller's scratch, cut up.
struct Scratch {
  uint16_t* keys;     // (8, head_dim / 32, 2) tiles of (16 pairs of dims, 16 keys): high, low
  uint16_t* values;   // (head_dim / 16, 4) tiles of (16 pairs of keys, 16 dims)
  uint16_t* queries;  // (lanes / 16, head_dim / 32, 2) tiles of (16 lanes, 32 dims)
  float* outputs;     // (lanes / 16, head_dim / 16) tiles of (16 lanes, 16 dims)
  uint16_t* weights;  // (32 lanes, 128 keys)
  LaneState* lanes;
  char* scores[2];  // (2, 8) score tiles, two in the upper half of each page

  ScoreTile& score(int which, int64_t lane_tile, int64_t key_tile) const {
    const int64_t i = lane_tile * (kKeys / 16) + key_tile;
    return *reinterpret_cast<ScoreTile*>(scores[which] + i / 2 * kPage + kPage / 2 +
                                         i % 2 * kTileBytes);
  }
};
constexpr int64_t kScoreBytes = kLanes / kTileRows * kKeys / 16 / 2 * kPage;

Scratch cut(const Attention& a) {
  const auto address = reinterpret_cast<uintptr_t>(a.scratch);
  char* at = static_cast<char*>(a.scratch) + (kPage - address % kPage) % kPage;
  const auto take = [&at](int64_t bytes) {
    at += ceil_div(bytes, kPage) * kPage;
    return at - ceil_div(bytes, kPage) * kPage;
  };
  const auto codes = [&](int64_t n) { return reinterpret_cast<uint16_t*>(take(n * 2)); };
  Scratch s;
  s.keys = codes(kKeys * a.head_dim * 2);
  s.values = codes(kKeys * a.head_dim);
  s.queries = codes(kAttentionRows * a.head_dim * 2);
  s.outputs = reinterpret_cast<float*>(take(kAttentionRows * a.head_dim * 4));
  s.weights = codes(kLanes * kKeys);
  s.lanes = reinterpret_cast<LaneState*>(take(kAttentionRows * sizeof(LaneState)));
  for (char*& scores : s.scores) scores = take(kScoreBytes);
  return s;
}
static_assert(kAttentionScratch >= 6 * kKeys * kMaxHeadDim + 8 * kAttentionRows * kMaxHeadDim +
                                       2 * kLanes * kKeys + kAttentionRows * sizeof(LaneState) +
                                       2 * kScoreBytes + 8 * kPage,
              "scratch");

// 16 by 16 dwords: rows become columns.
void transpose16(const __m512i (&rows)[16], uint16_t* to) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_castsi512_ps(rows[i]);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    const auto wide = [](__m512 x) { return _mm512_castps_pd(x); };
    const auto narrow = [](__m512d x) { return _mm512_castpd_ps(x); };
    r[i] = narrow(_mm512_unpacklo_pd(wide(t[i]), wide(t[i + 2])));
    r[i + 1] = narrow(_mm512_unpackhi_pd(wide(t[i]), wide(t[i + 2])));
    r[i + 2] = narrow(_mm512_unpacklo_pd(wide(t[i + 1]), wide(t[i + 3])));
    r[i + 3] = narrow(_mm512_unpackhi_pd(wide(t[i + 1]), wide(t[i + 3])));
  }
  // Each of r holds four columns, a quarter of the rows in each 128 bits.
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  auto* rows_to = reinterpret_cast<float*>(to);
  for (int i = 0; i < 4; i++) {
    _mm512_store_ps(rows_to + i * 16, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
    _mm512_store_ps(rows_to + (i + 8) * 16, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    _mm512_store_ps(rows_to + (i + 4) * 16, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
    _mm512_store_ps(rows_to + (i + 12) * 16, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd));
  }
}

// ---- what the tiles read ----

// 16 keys, as many of them as there are; the rest are zeros.
void put_keys(const float* const (&rows)[kKeys], int64_t first, int64_t count, int64_t head_dim,
              uint16_t* to) {
  for (int64_t d = 0; d < head_dim; d += kStep, to += 2 * kCodes) {
    __m512i high[16], low[16];
    for (int64_t i = 0; i < 16; i++) {
      high[i] = low[i] = _mm512_setzero_si512();
      if (first + i >= count) continue;
      const float* key = rows[first + i] + d;
      const Halves some = halves(_mm512_loadu_ps(key), _mm512_loadu_ps(key + 16));
      high[i] = some.high;
      low[i] = some.low;
    }
    transpose16(high, to);
    transpose16(low, to + kCodes);
  }
}

// 32 values likewise, into the `step`-th tiles of 4.
void put_values(const float* const (&rows)[kKeys], int64_t step, int64_t count, int64_t head_dim,
                uint16_t* values) {
  const __m512 zero = _mm512_setzero_ps();
  uint16_t* to = values + step * kCodes;
  for (int64_t d = 0; d < head_dim; d += 16, to += kKeys / kStep * kCodes)
    for (int64_t pair = 0; pair < kStep / 2; pair++) {
      const int64_t j = step * kStep + pair * 2;
      const __m512 first = j < count ? _mm512_loadu_ps(rows[j] + d) : zero;
      const __m512 second = j + 1 < count ? _mm512_loadu_ps(rows[j + 1] + d) : zero;
      _mm512_store_si512(to + pair * kStep, interleaved(bf16_pairs(first, second)));
    }
}

// Where the keys and values of a block are, run by run.
class Block {
 public:
  explicit Block(const Attention& a) : a_(a) {}

  // The block of up to 128 positions after the last, below `end`.
  void next(int64_t end) {
    begin_ += count_;
    count_ = min_of(kKeys, end - begin_);
    for (int64_t j = 0; j < count_; j++) {
      while (begin_ + j >= start_ + a_.runs[run_].count) start_ += a_.runs[run_++].count;
      const int64_t i = begin_ + j - start_;
      keys_[j] = a_.runs[run_].k + i * a_.k_token_stride;
      values_[j] = a_.runs[run_].v + i * a_.v_token_stride;
    }
  }
  int64_t begin() const { return begin_; }
  int64_t count() const { return count_; }

  // Rows of one head lie pages apart, where hardware does not look ahead.
  void fetch(int64_t j) const {
    if (j >= count_) return;
    for (int64_t d = 0; d < a_.head_dim; d += 16) {
      prefetch(keys_[j] + d);
      prefetch(values_[j] + d);
    }
  }

  void gather(const Scratch& s) const {
    const int64_t n_steps = ceil_div(count_, kStep);
    for (int64_t tile = 0; tile < n_steps * 2; tile++)
      put_keys(keys_, tile * 16, count_, a_.head_dim, s.keys + tile * 16 * a_.head_dim * 2);
    for (int64_t step = 0; step < n_steps; step++)
      put_values(values_, step, count_, a_.head_dim, s.values);
  }

 private:
  const Attention& a_;
  const float *keys_[kKeys], *values_[kKeys];
  int64_t begin_ = 0, count_ = 0;
  int64_t run_ = 0, start_ = 0;  // the run of the last, and the position that it starts at
};

// Queries of lanes [first, first + n), scaled so that scores are exponents of 2; up to the end of
// a tile the rest are zeros.
void load_queries(const Attention& a, int64_t first, int64_t n, uint16_t* queries) {
  const __m512 scale = _mm512_set1_ps(a.scale * 1.44269504088896341f);
  for (int64_t lane = 0; lane < ceil_div(n, kTileRows) * kTileRows; lane++) {
    const int64_t row = first + lane;
    const float* q = a.q + row / a.group * a.q_token_stride + row % a.group * a.q_head_stride;
    uint16_t* to =
        queries + lane / kTileRows * kTileRows * a.head_dim * 2 + lane % kTileRows * kStep;
    for (int64_t d = 0; d < a.head_dim; d += kStep, to += 2 * kCodes) {
      Halves some = {_mm512_setzero_si512(), _mm512_setzero_si512()};
      if (lane < n)
        some = halves(_mm512_mul_ps(_mm512_loadu_ps(q + d), scale),
                      _mm512_mul_ps(_mm512_loadu_ps(q + d + 16), scale));
      _mm512_store_si512(to, some.high);
      _mm512_store_si512(to + kCodes, some.low);
    }
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
