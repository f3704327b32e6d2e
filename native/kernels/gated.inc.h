// silu(gate) · up as one product of tiles: the sums of both wait in memory and become blocks of
// rows, which are a quarter of what their floats would be, or less. Included after what
// row_blocks.inc.h asks for.
#pragma once

#include "matmul.inc.h"
#include "row_blocks.inc.h"
#include "swiglu.inc.h"

namespace qwen3_embed::kernels {
namespace {

static_assert(kPair == kBlock, "a pair of panels of gate and of up gives one block of the rows");

// A group's sums become block `pair` of its rows.
void store_gated(const GroupSums& gate, const GroupSums& up, const Rows& out, int64_t group,
                 int64_t pair) {
  alignas(64) float y[kBlock];
  for (int64_t r = 0; r < min_of(kRowGroup, out.m - group * kRowGroup); r++) {
    swiglu_block(gate[r], up[r], y);
    store_block(y, out, group * kRowGroup + r, pair);
  }
}

// A stretch of both products, at most kMostGroups groups.
template <class Run>
void each_gated_tile_of(const Product& gate, const Product& up, const Stretch& stretch,
                        GroupSums* gates, const Rows& out, Run run) {
  const int64_t groups = stretch.last - stretch.first;
  for (int64_t i = 0; i < groups; i++) {
    Tile tile = tile_into(gates[i][0], kPair, gate, stretch, stretch.first + i);
    fetch_meanwhile(tile, up, up.pair(stretch.pair), i, groups);
    run(tile);
  }
  alignas(64) GroupSums sums;
  for (int64_t i = 0; i < groups; i++) {
    Tile tile = tile_into(sums[0], kPair, up, stretch, stretch.first + i);
    if (stretch.more) fetch_meanwhile(tile, gate, gate.pair(stretch.pair + 1), i, groups);
    run(tile);
    store_gated(gates[i], sums, out, stretch.first + i, stretch.pair);
  }
}

template <class Unit, class RowBlock, class Run>
void each_gated_tile(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                     int ith, int nth, Run run) {
  const Product gates = product_of<Unit, RowBlock>(gate, rows, nullptr, 0, nullptr, 0);
  const Product ups = product_of<Unit, RowBlock>(up, rows, nullptr, 0, nullptr, 0);
  alignas(64) GroupSums sums[kMostGroups];
  each_stretch(
      gates, min_of(kMostGroups, groups_at_once(gates)), ith, nth,
      [&](const Stretch& stretch) { each_gated_tile_of(gates, ups, stretch, sums, out, run); });
}

}  // namespace
}  // namespace qwen3_embed::kernels
