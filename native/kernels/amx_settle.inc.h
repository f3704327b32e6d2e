// Sums that tiles have left behind, and how vector units bring them where they belong while the
// tiles multiply what comes next; included like rows.inc.h. Few instructions: they share the window
// in which the loads of the tiles run ahead.
#pragma once

#include "amx_tiles.inc.h"
#include "swiglu.inc.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kTilePair = 2 * kTileRows;

using RowTile = RowsOfBf16<kTileRows>;
static_assert(sizeof(RowTile) == kTileBytes, "a tile");

// Sums of 32 rows by 32 outputs, a tile after the other.
struct alignas(64) Sums {
  float tiles[2][2][kTileRows][kPanel];  // [rows][outputs]

  float* of(int64_t row, int panel) { return tiles[row / kTileRows][panel][row % kTileRows]; }
};

// Where 32 × 32 sums go: to floats, …
struct Floats {
  float* out = nullptr;  // top left
  int64_t stride = 0;
  const float* add = nullptr;  // or null
  int64_t add_stride = 0;
  int64_t n_rows = 0;     // 0 … 32
  int64_t n_outputs = 0;  // 1 … 32

  bool is_full() const { return n_rows == kTilePair && n_outputs == 2 * kPanel; }
  void put(int64_t row, __m512 first, __m512 second) const {
    put(row, 0, first);
    if (n_outputs > kPanel) put(row, kPanel, second);
  }

  // Of a full one.
  template <bool kAdds>
  void put_whole(int64_t row, __m512 first, __m512 second) const {
    float* to = out + row * stride;
    if constexpr (kAdds) {
      const float* more = add + row * add_stride;
      first = _mm512_add_ps(first, _mm512_loadu_ps(more));
      second = _mm512_add_ps(second, _mm512_loadu_ps(more + kPanel));
    }
    _mm512_storeu_ps(to, first);
    _mm512_storeu_ps(to + kPanel, second);
  }

 private:
  void put(int64_t row, int64_t o, __m512 sum) const {
    const int64_t n = n_outputs - o;
    const auto mask = static_cast<__mmask16>(n >= kPanel ? 0xffff : (1 << n) - 1);
    if (add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, add + row * add_stride + o));
    _mm512_mask_storeu_ps(out + row * stride + o, mask, sum);
  }
};

// … or, of 16 gates and the 16 values they let through, to rows of BF16.
template <int kTerms>
struct Gated {
  // The tiles of the first row, for the block of k that holds the outputs.
  RowTile (*rows)[kTerms] = nullptr;
  int64_t to_next = 0;  // tiles of rows
  int64_t column = 0;   // of the first output in its block: 0 or 16
  int64_t n_rows = 0;   // 0 … 32

  bool is_full() const { return n_rows == kTilePair; }
  void put(int64_t row, __m512 gate, __m512 up) const {
    __m512 left = swiglu(gate, up);
    for (RowTile& tile : rows[row / kTileRows * to_next]) {
      const auto codes = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(left));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile.values[row % kTileRows] + column), codes);
      if constexpr (kTerms > 1)
        left = _mm512_sub_ps(
            left, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16)));
    }
  }
};

// Sums of a chunk of k, to be added to those of the chunks before it; and, if it is the last, put
// where they belong.
template <class Target>
struct Pending {
  Sums* chunk = nullptr;
  Sums* before = nullptr;
  bool is_last = false;
  Target target;

  bool is_none() const { return chunk == nullptr; }
  bool is_full() const { return !is_last || target.is_full(); }
  void settle() const {
    if (is_none()) return;
    const int64_t n_rows = is_last ? target.n_rows : kTilePair;
    for (int64_t row = 0; row < n_rows; row++) {
      __m512 sums[2];
      for (int panel = 0; panel < 2; panel++) {
        sums[panel] = _mm512_load_ps(chunk->of(row, panel));
        if (before)
          sums[panel] = _mm512_add_ps(_mm512_load_ps(before->of(row, panel)), sums[panel]);
        if (!is_last) _mm512_store_ps(before->of(row, panel), sums[panel]);
      }
      if (is_last) target.put(row, sums[0], sums[1]);
    }
  }
};

// The same for full ones, two rows at each of 16 steps.
struct SettleNothing {
  void step(int64_t) const {}
};

struct SettleBefore {
  const float* chunk;
  float* before;
  void step(int64_t i) const {
    for (int64_t at = i * 4 * kPanel; at < (i + 1) * 4 * kPanel; at += kPanel)
      _mm512_store_ps(before + at,
                      _mm512_add_ps(_mm512_load_ps(before + at), _mm512_load_ps(chunk + at)));
  }
};

template <class Put>
struct SettleTarget {
  const float* chunk;
  const float* before;
  Put put;
  void step(int64_t i) const {
    const int64_t at = i * 2 * kPanel + (i & 8) * 2 * kPanel;  // of the row 2 i
    for (int64_t row = 0; row < 2; row++) {
      const float* first = chunk + at + row * kPanel;
      const float* second = first + kTileRows * kPanel;
      put(i * 2 + row, sum(first), sum(second));
    }
  }
  __m512 sum(const float* at) const {
    const __m512 last = _mm512_load_ps(at);
    return before ? _mm512_add_ps(_mm512_load_ps(before + (at - chunk)), last) : last;
  }
};

// Calls run(Settle) for what is pending.
template <class Run>
void settling(const Pending<Floats>& pending, Run run) {
  const float* chunk = pending.chunk->of(0, 0);
  const float* before = pending.before ? pending.before->of(0, 0) : nullptr;
  const Floats& to = pending.target;
  const auto put = [to](int64_t row, __m512 first, __m512 second) {
    to.put_whole<false>(row, first, second);
  };
  const auto put_added = [to](int64_t row, __m512 first, __m512 second) {
    to.put_whole<true>(row, first, second);
  };
  if (to.add)
    run(SettleTarget<decltype(put_added)>{chunk, before, put_added});
  else
    run(SettleTarget<decltype(put)>{chunk, before, put});
}

template <int kTerms, class Run>
void settling(const Pending<Gated<kTerms>>& pending, Run run) {
  const Gated<kTerms> to = pending.target;
  const auto put = [to](int64_t row, __m512 gate, __m512 up) { to.put(row, gate, up); };
  run(SettleTarget<decltype(put)>{pending.chunk->of(0, 0),
                                  pending.before ? pending.before->of(0, 0) : nullptr, put});
}

}  // namespace
}  // namespace qwen3_embed::kernels
