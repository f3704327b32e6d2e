// Attention with an online softmax, over a vector type; included like rows.inc.h.
//
// A lane is one (query, head) pair, so scores, softmax and sums need no sum across lanes, and K and
// V are gathered row by row. Keys are taken in blocks of 64 *absolute* positions and in order
// within a block; the running maximum moves only between blocks. A lane's sums are thus a function
// of its own query and of the keys up to its position, whatever tile it sits in and however the
// keys were cut into runs: keys beyond its position enter with weight exactly 0, blocks beyond it
// rescale by exactly 1.
//
// What keys and queries, values and weights are multiplied as is left to two template parameters:
// see attention_floats.inc.h.
#pragma once

#include <cstring>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int kKeys = 64;
constexpr int kStep = Vec::kStep;
constexpr int kMaxVectors = 2;  // of lanes, in a tile
constexpr int kTile = kMaxVectors * Vec::kLanes;
constexpr float kLowest =
    -3e38f;  // below any score; not -infinity, whose difference with itself is NaN
constexpr int64_t kLanes = 256;  // that each gather of keys is for
static_assert(kKeys % kStep == 0 && kLanes % kTile == 0 && kLanes <= kAttentionRows &&
                  kTile <= 32 && kStep <= 8,
              "scratch layout");

// The caller's scratch, cut up. What `Keys` and `Values` make of a block or of a tile's queries
// takes no more room than the floats.
struct Scratch {
  float* k;         // 64 keys
  float* v;         // 64 values
  float* q;         // (tile), the queries of kTile lanes
  float* o;         // (tile, head_dim, kTile)
  float* p;         // (64, kTile)
  float* highest;   // (lanes): running maximum
  float* total;     // (lanes): running sum of weights
  int32_t* limits;  // (lanes): position of the lane's query
};

Scratch cut(const Attention& a) {
  Scratch s;
  s.k = static_cast<float*>(a.scratch);
  s.v = s.k + kKeys * a.head_dim;
  s.q = s.v + kKeys * a.head_dim;
  s.o = s.q + kLanes * a.head_dim;
  s.p = s.o + kLanes * a.head_dim;
  s.highest = s.p + kKeys * 32;
  s.total = s.highest + kLanes;
  s.limits = reinterpret_cast<int32_t*>(s.total + kLanes);
  return s;
}

const float* query(const Attention& a, int64_t lane) {
  return a.q + lane / a.group * a.q_token_stride + lane % a.group * a.q_head_stride;
}

// Keys and values of positions [begin, begin + count), wherever the runs hold them. `run` and
// `run_start` remember where the last gather ended.
template <typename Keys, typename Values>
void gather(const Attention& a, const Scratch& s, int64_t begin, int64_t count, int64_t& run,
            int64_t& run_start) {
  for (int64_t j = 0; j < count; j++) {
    while (begin + j >= run_start + a.runs[run].count) run_start += a.runs[run++].count;
    const int64_t i = begin + j - run_start;
    // Rows of one head lie pages apart, where hardware does not look ahead: the next block's are
    // asked for now.
    if (i + kKeys < a.runs[run].count)
      for (int64_t d = 0; d < a.head_dim; d += 16) {
        prefetch(a.runs[run].k + (i + kKeys) * a.k_token_stride + d);
        prefetch(a.runs[run].v + (i + kKeys) * a.v_token_stride + d);
      }
    Keys::put(a.runs[run].k + i * a.k_token_stride, a.head_dim, j, s.k);
    Values::put(a.runs[run].v + i * a.v_token_stride, a.head_dim, j, s.v);
  }
  Keys::put_zeros(a.head_dim, count, ceil_div(count, kStep) * kStep, s.k);
  Values::close(a.head_dim, count, s.v);
}

// Queries of lanes [first, first + n) into lanes [0, kTile) of q, n at most kTile; the rest are
// zeros. Scaled so that scores are exponents of 2.
template <typename Keys>
void load_queries(const Attention& a, int64_t first, int64_t n, float* q) {
  alignas(64) float four[4][kMaxHeadDim];
  for (int64_t lane = 0; lane < kTile; lane += 4) {
    for (int64_t i = 0; i < 4; i++) {
      if (lane + i < n)
        memcpy(four[i], query(a, first + lane + i),
               static_cast<size_t>(a.head_dim) * sizeof(float));
      else
        memset(four[i], 0, static_cast<size_t>(a.head_dim) * sizeof(float));
    }
    Keys::put_queries(four, a.head_dim, a.scale * 1.44269504088896341f, lane, q);
  }
}

void store_outputs(const Attention& a, int64_t first, int64_t n, const float* o,
                   const float* total) {
  alignas(64) float four[4][kMaxHeadDim];
  for (int64_t lane = 0; lane < n; lane += 4) {
    for (int64_t d = 0; d < a.head_dim; d += 4)
      Vec::transpose4(o + d * kTile + lane, kTile, four[0] + d, kMaxHeadDim);
    for (int64_t i = 0; i < min_of(4, n - lane); i++) {
      const int64_t row = first + lane + i;
      float* out = a.out + row / a.group * a.out_token_stride + row % a.group * a.out_head_stride;
      // A tiny product may leave -0, which a masked key in another tile would have turned to 0:
      // adding 0 makes both 0.
      const float inverse = 1.0f / total[lane + i];
      for (int64_t d = 0; d < a.head_dim; d++) out[d] = four[i][d] * inverse + 0.0f;
    }
  }
}

// Scores to weights, in place; returns in `rescale` what earlier sums shrink by. A block that ends
// before every lane's limit needs no mask.
template <int NV, bool kMasked>
void softmax(float* p, int64_t count, int64_t position, const int32_t* limits, float* highest,
             float* total, Vec::F (&rescale)[NV]) {
  for (int v = 0; v < NV;
       v++, p += Vec::kLanes, limits += Vec::kLanes, highest += Vec::kLanes, total += Vec::kLanes) {
    const auto masked = [&](int64_t j, Vec::F value, float otherwise) {
      if constexpr (!kMasked) return value;
      const auto seen = Vec::reaches(limits, static_cast<int32_t>(position + j));
      return Vec::select(seen, value, Vec::set(otherwise));
    };
    const Vec::F old = Vec::load(highest);
    Vec::F top = old;
    for (int64_t j = 0; j < count; j++)
      top = Vec::max(masked(j, Vec::load(p + j * kTile), kLowest), top);
    Vec::F sum = Vec::set(0);
    for (int64_t j = 0; j < count; j++) {
      const Vec::F weight = masked(j, Vec::exp2(Vec::sub(Vec::load(p + j * kTile), top)), 0);
      sum = Vec::add(sum, weight);
      Vec::store(p + j * kTile, weight);
    }
    rescale[v] = Vec::exp2(Vec::sub(old, top));
    Vec::store(highest, top);
    Vec::store(total, Vec::fma(Vec::load(total), rescale[v], sum));
  }
}

template <typename Keys, typename Values, int NV>
void attend(const Attention& a, const Scratch& s, int64_t lane, int64_t position, int64_t count) {
  float* o = s.o + lane * a.head_dim;
  Vec::F rescale[NV];
  Keys::template scores<NV>(s.k, s.q + lane * a.head_dim, a.head_dim, count, s.p);
  const bool all_seen = s.limits[lane] >= position + count - 1;
  (all_seen ? softmax<NV, false> : softmax<NV, true>)(s.p, count, position, s.limits + lane,
                                                      s.highest + lane, s.total + lane, rescale);
  Values::template accumulate<NV>(s.v, s.p, a.head_dim, count, rescale, o);
}

template <typename Keys, typename Values>
void attention(const Attention& a) {
  const Scratch s = cut(a);
  const int64_t n_lanes = a.n_queries * a.group;
  for (int64_t first = 0; first < n_lanes; first += kLanes) {
    const int64_t n = min_of(kLanes, n_lanes - first);
    const int64_t padded = ceil_div(n, kTile) * kTile;
    for (int64_t lane = 0; lane < padded; lane++) {
      s.highest[lane] = kLowest;
      s.total[lane] = 0;
      // Lanes beyond the last repeat its limit, so that they never widen a tile's range.
      s.limits[lane] = static_cast<int32_t>(
          a.is_causal ? a.position + (first + min_of(lane, n - 1)) / a.group : a.n_keys - 1);
    }
    memset(s.o, 0, static_cast<size_t>(padded * a.head_dim) * sizeof(float));
    for (int64_t lane = 0; lane < padded; lane += kTile)
      load_queries<Keys>(a, first + lane, min_of(kTile, n - lane), s.q + lane * a.head_dim);

    const int64_t visible = int64_t{s.limits[n - 1]} + 1;
    int64_t run = 0, run_start = 0;
    for (int64_t begin = 0; begin < visible; begin += kKeys) {
      gather<Keys, Values>(a, s, begin, min_of(kKeys, visible - begin), run, run_start);
      for (int64_t lane = 0; lane < padded; lane += kTile) {
        const int64_t last = min_of(lane + kTile, n) - 1;
        const int64_t count = min_of(kKeys, s.limits[last] + 1 - begin);
        if (count <= 0) continue;
        if (last - lane < Vec::kLanes)
          attend<Keys, Values, 1>(a, s, lane, begin, count);
        else
          attend<Keys, Values, 2>(a, s, lane, begin, count);
      }
    }
    for (int64_t lane = 0; lane < padded; lane += kTile)
      store_outputs(a, first + lane, min_of(kTile, n - lane), s.o + lane * a.head_dim,
                    s.total + lane);
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
