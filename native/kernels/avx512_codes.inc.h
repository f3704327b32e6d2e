// Products of quantised weights with rows of codes: weights as unsigned bytes, activations as
// broadcast signed ones. Processors add the four products of a lane in the units that multiply
// floats, so what counts is how many of those are left per block of 32: of eight such steps for a
// block, few rows need two more (scale by scale, sum plus block), many rows one: the product of
// scales is then a sum of two that are looked up, exact like it. The conversion to floats is a
// subtraction (RowBlockSteps).
#pragma once

#include <immintrin.h>

#include <cstring>

#include "avx512_decode.inc.h"
#include "avx512_tile.inc.h"
#include "gated.inc.h"

namespace qwen3_embed::kernels {
namespace {

void fetch_rows(const RowBlockSteps* rows) {
  for (size_t i = 0; i < sizeof *rows; i += 64)
    _mm_prefetch(reinterpret_cast<const char*>(rows) + i, _MM_HINT_T0);
}

// Where the sums of a block's part begin: at -128 Σ codes for weights stored as code + 128.
template <class Type>
const void* starts(const RowBlockSteps& rows, int part) {
  if (Type::kMins) return rows.origin;
  return Type::kParts == 1 ? rows.start : rows.start_half[part];
}

__m512i broadcast_start(const void* starts, int r) {
  int32_t start;
  memcpy(&start, static_cast<const char*>(starts) + 4 * r, sizeof start);
  return _mm512_set1_epi32(start);
}

__m512 above_origin(__m512i sum, __m512 origin) {
  return _mm512_sub_ps(_mm512_castsi512_ps(sum), origin);
}

// ---- few rows: as the weights come ----

template <class Unit, int MR, int NC>
void tile_q8(const Tile& t) {
  using Type = Decode<Unit>;
  constexpr int kGroups = 8 / Type::kParts;
  const auto* rows = static_cast<const RowBlockSteps*>(t.rows);
  const auto block_stride = static_cast<int64_t>(t.block_bytes / sizeof *rows);
  const auto* unit = static_cast<const Unit*>(t.panel);
  const auto* second =
      reinterpret_cast<const Unit*>(static_cast<const char*>(t.panel) + t.panel_bytes);
  const char* fetch = t.fetch;

  __m512 sums[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) sums[r][c] = _mm512_setzero_ps();

  for (int64_t left = t.n_blocks; left > 0; left -= Unit::kBlocks, unit++, second++) {
    const int n = static_cast<int>(min_of(left, Unit::kBlocks));
    for (int b = 0; b < n; b++, rows += block_stride) {
      const Unit* units[2] = {unit, second};
      for (int64_t i = 0; i < t.fetch_step; i++, fetch += 64) prefetch(fetch);
      // Many rows do not stay in the first-level cache from one pair of panels to the next.
      if constexpr (MR == kRowGroup) fetch_rows(rows + 4 * block_stride);
#pragma GCC unroll 2
      for (int part = 0; part < Type::kParts; part++) {
        __m512i acc[MR][NC];
        for (int r = 0; r < MR; r++) {
          acc[r][0] = broadcast_start(starts<Type>(*rows, part), r);
          for (int c = 1; c < NC; c++) acc[r][c] = acc[r][0];
        }
#pragma GCC unroll 8
        for (int i = 0; i < kGroups; i++) {
          const int g = part * kGroups + i;
          __m512i w[NC];
          for (int c = 0; c < NC; c++) w[c] = Type::codes(*units[c], b, g);
          for (int r = 0; r < MR; r++) {
            const __m512i a = broadcast_codes(rows->codes[r] + g * 4);
            for (int c = 0; c < NC; c++) acc[r][c] = _mm512_dpbusd_epi32(acc[r][c], w[c], a);
          }
        }
        __m512 scale[NC];
        for (int c = 0; c < NC; c++) scale[c] = Type::scale(*units[c], b, part);
        for (int r = 0; r < MR; r++) {
          const __m512 origin = _mm512_set1_ps(rows->origin[r]);
          const __m512 mantissa = _mm512_set1_ps(rows->mantissa[r]);
          for (int c = 0; c < NC; c++)
            sums[r][c] = _mm512_fmadd_ps(above_origin(acc[r][c], origin),
                                         _mm512_mul_ps(scale[c], mantissa), sums[r][c]);
        }
      }
      if constexpr (Type::kMins) {
        __m512 min[NC];
        for (int c = 0; c < NC; c++) min[c] = Type::min(*units[c], b);
        for (int r = 0; r < MR; r++)
          for (int c = 0; c < NC; c++)
            sums[r][c] = _mm512_fnmadd_ps(min[c], _mm512_set1_ps(rows->sum[r]), sums[r][c]);
      }
    }
  }
  finish(t, sums);
}

template <class Unit, int NC>
void run_codes(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup] = {tile_q8<Unit, 1, NC>, tile_q8<Unit, 2, NC>,
                                         tile_q8<Unit, 3, NC>, tile_q8<Unit, 4, NC>,
                                         tile_q8<Unit, 5, NC>, tile_q8<Unit, 6, NC>};
  kRuns[t.n_rows - 1](t);
}

// ---- many rows: some blocks of two panels are made ready, then multiplied with all of them ----

constexpr int64_t kManyGroups = 20;  // from here on it pays

// What fits the first-level cache beside a group of rows: 21 KB.
template <class Type>
struct Ready {
  static constexpr int kBlocks = 4 / Type::kParts;
  uint8_t codes[kBlocks][8][2][64];
  float coarse[kBlocks][Type::kParts][kScaleSteps][2][16];  // scales times 1 + step / 16
  float fine[kBlocks][Type::kParts][kScaleSteps][2][16];    // scales times step / 256
  float mins[kBlocks][2][16];
};

struct Steps {
  float coarse[kScaleSteps], fine[kScaleSteps];
  constexpr Steps() : coarse(), fine() {
    for (int i = 0; i < kScaleSteps; i++) {
      coarse[i] = 1 + static_cast<float>(i) / kScaleSteps;
      fine[i] = static_cast<float>(i) / (kScaleSteps * kScaleSteps);
    }
  }
};
constexpr Steps kSteps;

template <class Unit>
void make_ready(const Unit& unit, int b, int c, Ready<Decode<Unit>>& to, int i) {
  using Type = Decode<Unit>;
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) _mm512_store_si512(to.codes[i][g][c], Type::codes(unit, b, g));
  for (int part = 0; part < Type::kParts; part++) {
    const __m512 scale = Type::scale(unit, b, part);
#pragma GCC unroll 8
    for (int step = 0; step < kScaleSteps; step++) {
      _mm512_store_ps(to.coarse[i][part][step][c],
                      _mm512_mul_ps(scale, _mm512_set1_ps(kSteps.coarse[step])));
      _mm512_store_ps(to.fine[i][part][step][c],
                      _mm512_mul_ps(scale, _mm512_set1_ps(kSteps.fine[step])));
    }
  }
  if constexpr (Type::kMins) _mm512_store_ps(to.mins[i][c], Type::min(unit, b));
}

// sums += the blocks that are ready, times a group of rows; `fresh`: what is in sums does not
// count.
template <class Type>
void add_ready(const Ready<Type>& ready, const RowBlockSteps* rows, int64_t block_stride, int n,
               bool fresh, GroupSums& memory) {
  constexpr int MR = kRowGroup, NC = 2, kGroups = 8 / Type::kParts;
  const auto kept = static_cast<__mmask16>(fresh ? 0 : 0xffff);
  __m512 sums[MR][NC];
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) sums[r][c] = _mm512_maskz_load_ps(kept, memory[r] + c * kPanel);
  for (int b = 0; b < n; b++, rows += block_stride) {
    fetch_rows(rows + 1);
#pragma GCC unroll 2
    for (int part = 0; part < Type::kParts; part++) {
      __m512i acc[MR][NC];
      for (int r = 0; r < MR; r++)
        acc[r][0] = acc[r][1] = broadcast_start(starts<Type>(*rows, part), r);
#pragma GCC unroll 8
      for (int i = 0; i < kGroups; i++) {
        const int g = part * kGroups + i;
        const __m512i first = _mm512_load_si512(ready.codes[b][g][0]);
        const __m512i second = _mm512_load_si512(ready.codes[b][g][1]);
        for (int r = 0; r < MR; r++) {
          const __m512i a = broadcast_codes(rows->codes[r] + g * 4);
          acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], first, a);
          acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], second, a);
        }
      }
      for (int r = 0; r < MR; r++) {
        const __m512 origin = _mm512_set1_ps(rows->origin[r]);
        const auto& coarse = ready.coarse[b][part][rows->coarse[r]];
        const auto& fine = ready.fine[b][part][rows->fine[r]];
        for (int c = 0; c < NC; c++) {
          const __m512 scale = _mm512_add_ps(_mm512_load_ps(coarse[c]), _mm512_load_ps(fine[c]));
          sums[r][c] = _mm512_fmadd_ps(above_origin(acc[r][c], origin), scale, sums[r][c]);
        }
      }
    }
    if constexpr (Type::kMins) {
      for (int r = 0; r < MR; r++) {
        const __m512 sum = _mm512_set1_ps(rows->sum[r]);
        for (int c = 0; c < NC; c++)
          sums[r][c] = _mm512_fnmadd_ps(_mm512_load_ps(ready.mins[b][c]), sum, sums[r][c]);
      }
    }
  }
  for (int r = 0; r < MR; r++)
    for (int c = 0; c < NC; c++) _mm512_store_ps(memory[r] + c * kPanel, sums[r][c]);
}

void finish_group(const Tile& tile, const GroupSums& memory) {
  __m512 sums[kRowGroup][2];
  for (int r = 0; r < kRowGroup; r++)
    for (int c = 0; c < 2; c++) sums[r][c] = _mm512_load_ps(memory[r] + c * kPanel);
  finish(tile, sums);
}

// The first n groups of a stretch, all whole, times both panels of its pair. `next`: the pair to be
// fetched meanwhile, or null. before(i) is called when group i is about to be done, done(i) when
// its sums are.
template <class Unit, class Before, class Done>
void multiply_ready(const Product& p, const Stretch& stretch, int64_t n, const char* next,
                    GroupSums* sums, Before before, Done done) {
  using Type = Decode<Unit>;
  alignas(64) Ready<Type> ready;
  // Of a panel, to be fetched while the blocks before are multiplied.
  constexpr auto kLines =
      static_cast<int64_t>((sizeof(Unit) * Ready<Type>::kBlocks / Unit::kBlocks + 63) / 64);
  const char* panel = p.pair(stretch.pair);
  for (int64_t block = 0; block < p.n_blocks; block += Ready<Type>::kBlocks) {
    const int n_ready = static_cast<int>(min_of(Ready<Type>::kBlocks, p.n_blocks - block));
    for (int i = 0; i < n_ready; i++)
      for (int c = 0; c < 2; c++) {
        const auto* units =
            reinterpret_cast<const Unit*>(panel + static_cast<size_t>(c) * p.panel_bytes);
        make_ready(units[(block + i) / Unit::kBlocks],
                   static_cast<int>((block + i) % Unit::kBlocks), c, ready, i);
      }
    const auto* rows = static_cast<const RowBlockSteps*>(p.rows.data) + block * p.n_groups;
    const bool is_last = block + n_ready == p.n_blocks;
    const char* following =
        is_last ? next
                : panel + static_cast<size_t>(block + n_ready) * sizeof(Unit) / Unit::kBlocks;
    const int64_t fetched = following == nullptr ? 0 : ceil_div(kLines, n);
    for (int64_t i = 0; i < n; i++) {
      for (int64_t line = i * fetched; line < (i + 1) * fetched; line++)
        for (size_t c = 0; c < 2; c++) prefetch(following + c * p.panel_bytes + line * 64);
      if (is_last) before(i);
      add_ready(ready, rows + stretch.first + i, p.n_groups, n_ready, block == 0, sums[i]);
      if (is_last) done(i);
    }
  }
}

template <class Unit>
Product product_of_codes(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                         const float* add, int64_t add_stride) {
  Product p = product_of<Unit, RowBlockSteps>(weights, rows, out, out_stride, add, add_stride);
  p.group_bytes = sizeof(RowBlockSteps);
  p.block_bytes = static_cast<size_t>(p.n_groups) * sizeof(RowBlockSteps);
  return p;
}

// Of a stretch's groups, those that are whole.
int64_t n_whole_groups(const Product& p, const Stretch& stretch) {
  return min_of(stretch.last, p.rows.m / kRowGroup) - stretch.first;
}

template <class Unit>
void run_few(const Tile& t) {
  t.n_outputs > 16 ? run_codes<Unit, 2>(t) : run_codes<Unit, 1>(t);
}

template <class Unit>
void multiply_codes(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                    const float* add, int64_t add_stride, int ith, int nth) {
  const Product p = product_of_codes<Unit>(weights, rows, out, out_stride, add, add_stride);
  alignas(64) GroupSums sums[kMostGroups];
  each_stretch(p, kMostGroups, ith, nth, [&](Stretch stretch) {
    const int64_t n = n_whole_groups(p, stretch);
    if (n >= kManyGroups && weights.n - stretch.pair * kPair > kPanel) {
      const auto tile = [&](int64_t i) { return tile_of(p, stretch, stretch.first + i); };
      multiply_ready<Unit>(
          p, stretch, n, stretch.more ? p.pair(stretch.pair + 1) : nullptr, sums,
          [&](int64_t i) { fetch_outputs(tile(i)); },
          [&](int64_t i) { finish_group(tile(i), sums[i]); });
      stretch.first += n;
    }
    each_tile_of(p, stretch, run_few<Unit>);
  });
}

template <class Unit>
void multiply_gated_codes(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                          int ith, int nth) {
  const Product gates = product_of_codes<Unit>(gate, rows, nullptr, 0, nullptr, 0);
  const Product ups = product_of_codes<Unit>(up, rows, nullptr, 0, nullptr, 0);
  alignas(64) GroupSums gate_sums[kMostGroups];
  alignas(64) GroupSums up_sums[kMostGroups];
  each_stretch(gates, kMostGroups, ith, nth, [&](Stretch stretch) {
    const int64_t n = n_whole_groups(gates, stretch);
    if (n >= kManyGroups) {
      const auto nothing = [](int64_t) {};
      multiply_ready<Unit>(gates, stretch, n, ups.pair(stretch.pair), gate_sums, nothing, nothing);
      multiply_ready<Unit>(ups, stretch, n, stretch.more ? gates.pair(stretch.pair + 1) : nullptr,
                           up_sums, nothing, [&](int64_t i) {
                             store_gated(gate_sums[i], up_sums[i], out, stretch.first + i,
                                         stretch.pair);
                           });
      stretch.first += n;
    }
    each_gated_tile_of(gates, ups, stretch, gate_sums, out, run_few<Unit>);
  });
}

}  // namespace
}  // namespace qwen3_embed::kernels
