// Attention by AMX tiles of BF16 pairs. Queries and keys are each the sum of two BF16 numbers,
// which leaves 2^-17 of a product; weights and values are BF16.
//
// A lane is one (query, head) pair and a row of a tile, so queries, weights and outputs stand as
// they are read and written; of keys pairs of dims must stand together, of values pairs of keys.
// Keys are taken in blocks of 128 absolute positions; the running maximum moves only between
// blocks. So a lane's sums are a function of its own query and of the keys up to its position:
// keys beyond enter with weight exactly 0, blocks beyond rescale by exactly 1. While tiles multiply
// the queries of some lanes by a block's keys, vector units make weights of the scores of those
// before.
#include "vec_avx512.h"
// After the vector type they are written over.
#include "amx_attention_inputs.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// ---- a block of keys for up to 32 lanes ----

struct Lanes {
  int64_t first;    // of the scratch's
  int64_t n_tiles;  // 1 or 2
  int64_t n_steps;  // of 32 keys that any of them sees
};

// Calls beside(i) after the products of each 32 keys with each 32 dims.
template <int NL, class Beside>
void scores(const Scratch& s, const Lanes& lanes, int64_t head_dim, int which, Beside beside) {
  settle_memory();
  const int64_t n_dims = head_dim / kStep, tile = kTileRows * head_dim * 2;
  const uint16_t* q = s.queries + lanes.first * head_dim * 2;
  for (int64_t step = 0; step < lanes.n_steps; step++) {
    const uint16_t *k = s.keys + step * 2 * tile, *second_q = q + tile;
    _tile_zero(0);
    _tile_zero(1);
    if (NL > 1) _tile_zero(2);
    if (NL > 1) _tile_zero(3);
    for (int64_t d = 0; d < n_dims; d++) {
      const int64_t high = d * 2 * kCodes, low = high + kCodes;
      _tile_loadd(4, q + high, 64);
      _tile_loadd(6, k + low, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, k + tile + low, 64);
      _tile_dpbf16ps(1, 4, 7);
      if (NL > 1) {
        _tile_loadd(5, second_q + high, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_loadd(6, k + high, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, k + tile + high, 64);
      _tile_dpbf16ps(1, 4, 7);
      if (NL > 1) {
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_loadd(4, q + low, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if (NL > 1) {
        _tile_loadd(5, second_q + low, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      beside(step * n_dims + d);
    }
    _tile_stored(0, &s.score(which, 0, step * 2), 64);
    _tile_stored(1, &s.score(which, 0, step * 2 + 1), 64);
    if (NL > 1) _tile_stored(2, &s.score(which, 1, step * 2), 64);
    if (NL > 1) _tile_stored(3, &s.score(which, 1, step * 2 + 1), 64);
  }
}

// 2^x, relative error below 3e-6 (the weight is rounded to BF16): 2^[x] · p(x - [x]).
__m512 exp2(__m512 x) {
  const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_set1_ps(0x1.b7f736p-7f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.abf866p-5f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.ee2452p-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.62d6c6p-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, x);
}

// Scores of the i-th lane to weights. A lane that sees all keys of the block needs no mask.
template <bool kMasked>
void weigh(const Scratch& s, const Lanes& lanes, int64_t i, int64_t begin, int which) {
  LaneState& lane = s.lanes[lanes.first + i];
  const int64_t n = lanes.n_steps * 2, seen = lane.limit + 1 - begin;
  __mmask16 masks[kKeys / 16];
  if constexpr (kMasked) {
    for (int64_t v = 0; v < n; v++)
      masks[v] = static_cast<__mmask16>(0xffffu >> (16 - max_of(0, min_of(16, seen - v * 16))));
  }
  const char* tile =
      reinterpret_cast<const char*>(s.score(which, i / kTileRows, 0).values[i % kTileRows]);
  const auto score = [&](int64_t v) {
    return _mm512_load_ps(tile + v / 2 * kPage + v % 2 * kTileBytes);
  };
  __m512 tops[2] = {_mm512_set1_ps(kLowest), _mm512_set1_ps(kLowest)};
  for (int64_t v = 0; v < n; v += 2)
    for (int64_t half = 0; half < 2; half++) {
      const __m512 x = score(v + half);
      tops[half] = kMasked ? _mm512_mask_max_ps(tops[half], masks[v + half], x, tops[half])
                           : _mm512_max_ps(x, tops[half]);
    }
  const float before = lane.highest;
  const float here = _mm512_reduce_max_ps(_mm512_max_ps(tops[0], tops[1]));
  lane.highest = here > before ? here : before;
  const __m512 least = _mm512_set1_ps(lane.highest);
  __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (int64_t v = 0; v < n; v += 2) {
    __m512 w[2];
    for (int64_t half = 0; half < 2; half++) {
      w[half] = exp2(_mm512_sub_ps(score(v + half), least));
      if constexpr (kMasked) w[half] = _mm512_maskz_mov_ps(masks[v + half], w[half]);
      sums[half] = _mm512_add_ps(sums[half], w[half]);
    }
    _mm512_store_si512(s.weights + i * kKeys + v * 16, bf16_pairs(w[0], w[1]));
  }
  const __m512 rescale = exp2(_mm512_set1_ps(before - lane.highest));
  lane.rescale = _mm512_cvtss_f32(rescale);
  _mm512_store_ps(lane.total, _mm512_fmadd_ps(_mm512_load_ps(lane.total), rescale,
                                              _mm512_add_ps(sums[0], sums[1])));
}

void weigh(const Scratch& s, const Lanes& lanes, int64_t i, int64_t begin, int which) {
  const bool sees_all = s.lanes[lanes.first + i].limit >= begin + lanes.n_steps * kStep - 1;
  sees_all ? weigh<false>(s, lanes, i, begin, which) : weigh<true>(s, lanes, i, begin, which);
}

// Adds the block's values, weighed, to outputs.
template <int NL>
void accumulate(const Scratch& s, const Lanes& lanes, int64_t head_dim, bool is_first) {
  const int64_t tile = kTileRows * head_dim;
  float* o = s.outputs + lanes.first * head_dim;
  for (int64_t i = 0; i < NL * kTileRows && !is_first; i++) {
    const float rescale = s.lanes[lanes.first + i].rescale;
    if (rescale == 1.0f) continue;
    float* at = o + i / kTileRows * tile + i % kTileRows * 16;
    for (int64_t d = 0; d < head_dim; d += 16, at += kFloats)
      _mm512_store_ps(at, _mm512_mul_ps(_mm512_load_ps(at), _mm512_set1_ps(rescale)));
  }
  settle_memory();
  const uint16_t *v = s.values, *w = s.weights, *second_w = w + kTileRows * kKeys;
  constexpr int64_t kStride = kKeys * sizeof(uint16_t);
  for (int64_t d = 0; d < head_dim; d += 32, o += 2 * kFloats, v += 2 * kKeys / kStep * kCodes) {
    const uint16_t* second_v = v + kKeys / kStep * kCodes;
    if (is_first) {
      _tile_zero(0);
      _tile_zero(1);
      if (NL > 1) _tile_zero(2);
      if (NL > 1) _tile_zero(3);
    } else {
      _tile_loadd(0, o, 64);
      _tile_loadd(1, o + kFloats, 64);
      if (NL > 1) _tile_loadd(2, o + tile, 64);
      if (NL > 1) _tile_loadd(3, o + tile + kFloats, 64);
    }
    for (int64_t step = 0; step < lanes.n_steps; step++) {
      _tile_loadd(4, w + step * kStep, kStride);
      _tile_loadd(6, v + step * kCodes, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, second_v + step * kCodes, 64);
      _tile_dpbf16ps(1, 4, 7);
      if (NL > 1) {
        _tile_loadd(5, second_w + step * kStep, kStride);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    _tile_stored(0, o, 64);
    _tile_stored(1, o + kFloats, 64);
    if (NL > 1) _tile_stored(2, o + tile, 64);
    if (NL > 1) _tile_stored(3, o + tile + kFloats, 64);
  }
  settle_memory();
}

void store_outputs(const Attention& a, const Scratch& s, int64_t first, int64_t n) {
  for (int64_t lane = 0; lane < n; lane++) {
    const int64_t row = first + lane;
    float* out = a.out + row / a.group * a.out_token_stride + row % a.group * a.out_head_stride;
    const float* o = s.outputs + lane / kTileRows * kTileRows * a.head_dim + lane % kTileRows * 16;
    const __m512 inverse = _mm512_set1_ps(1.0f / Vec::sum(_mm512_load_ps(s.lanes[lane].total)));
    // A tiny product may leave -0, which a masked key in another tile would have turned to 0:
    // adding 0 makes both 0.
    for (int64_t d = 0; d < a.head_dim; d += 16, o += kFloats)
      _mm512_storeu_ps(
          out + d, _mm512_add_ps(_mm512_mul_ps(_mm512_load_ps(o), inverse), _mm512_setzero_ps()));
  }
}

// The lanes of the scratch with one block of keys, while the next is fetched.
class Attending {
 public:
  Attending(const Attention& a, const Scratch& s, int64_t n_lanes, int64_t begin, const Block& next)
      : a_(a), s_(s), n_lanes_(n_lanes), begin_(begin), next_(next) {}

  void run() {
    Lanes before = {};
    for (int64_t first = 0; first < n_lanes_; first += kLanes) {
      const Lanes lanes = lanes_from(first);
      if (lanes.n_steps <= 0) continue;
      const Beside beside = {*this, before, which_, lanes.n_steps * (a_.head_dim / kStep)};
      which_ ^= 1;
      lanes.n_tiles > 1 ? scores<2>(s_, lanes, a_.head_dim, which_, beside)
                        : scores<1>(s_, lanes, a_.head_dim, which_, beside);
      accumulate(before);
      before = lanes;
    }
    for (int64_t i = 0; i < before.n_tiles * kTileRows; i++) weigh(s_, before, i, begin_, which_);
    accumulate(before);
    while (fetched_ < next_.count()) next_.fetch(fetched_++);
  }

 private:
  Lanes lanes_from(int64_t first) const {
    const int64_t n = min_of(kLanes, n_lanes_ - first);
    const int64_t seen = min_of(kKeys, s_.lanes[first + n - 1].limit + 1 - begin_);
    return {first, ceil_div(n, kTileRows), ceil_div(seen, kStep)};
  }

  void accumulate(const Lanes& lanes) const {
    if (lanes.n_tiles == 0) return;
    lanes.n_tiles > 1 ? kernels::accumulate<2>(s_, lanes, a_.head_dim, begin_ == 0)
                      : kernels::accumulate<1>(s_, lanes, a_.head_dim, begin_ == 0);
  }

  // What is done while tiles multiply, at each of n_steps.
  struct Beside {
    Attending& attending;
    const Lanes lanes;  // whose scores become weights
    const int which;
    const int64_t n_steps;

    void operator()(int64_t step) const {
      // Lanes in the half of the page that these products have loaded.
      if (n_steps == 1) weigh_half(1, 0, 1);
      const int64_t odd = step % 2;
      weigh_half(odd, step / 2, (n_steps + 1 - odd) / 2);
      attending.next_.fetch(attending.fetched_++);
    }
    // The i-th of n parts of the lanes in one half of a page.
    void weigh_half(int64_t half, int64_t i, int64_t n) const {
      constexpr int64_t kHalf = kTileRows / 2;
      const int64_t all = lanes.n_tiles * kHalf;
      for (int64_t j = all * i / n; j < all * (i + 1) / n; j++)
        weigh(attending.s_, lanes, j / kHalf * kTileRows + half * kHalf + j % kHalf,
              attending.begin_, which);
    }
  };

  const Attention& a_;
  const Scratch& s_;
  const int64_t n_lanes_, begin_;
  const Block& next_;
  int64_t fetched_ = 0;
  int which_ = 0;
};

}  // namespace

void amx_attention(const Attention& a) {
  if (a.head_dim % kStep != 0) return avx512_bf16_attention(a);
  const UseTiles tiles;
  const Scratch s = cut(a);
  const int64_t n_lanes = a.n_queries * a.group;
  for (int64_t first = 0; first < n_lanes; first += kAttentionRows) {
    const int64_t n = min_of(kAttentionRows, n_lanes - first);
    for (int64_t lane = 0; lane < ceil_div(n, kTileRows) * kTileRows; lane++) {
      LaneState& state = s.lanes[lane];
      _mm512_store_ps(state.total, _mm512_setzero_ps());
      state.highest = kLowest;
      // Lanes beyond the last repeat its limit, so that they never widen a tile's range.
      state.limit = static_cast<int32_t>(
          a.is_causal ? a.position + (first + min_of(lane, n - 1)) / a.group : a.n_keys - 1);
    }
    const int64_t visible = int64_t{s.lanes[n - 1].limit} + 1;
    Block block(a);
    block.next(visible);
    for (int64_t j = 0; j < block.count(); j++) block.fetch(j);
    load_queries(a, first, n, s.queries);
    while (block.count() > 0) {
      block.gather(s);
      const int64_t begin = block.begin();
      block.next(visible);
      Attending(a, s, n, begin, block).run();
    }
    store_outputs(a, s, first, n);
  }
}

}  // namespace qwen3_embed::kernels
