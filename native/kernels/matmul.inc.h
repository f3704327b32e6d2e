// How a product is shared out, for every instruction set: tiles of kRowGroup rows by a pair of
// panels.
#pragma once

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kPair = 2 * kPanel;

struct Tile {
  const void* rows;    // the group's first block
  const void* panel;   // first of the pair
  size_t panel_bytes;  // to the second
  int64_t n_blocks;
  float* out;  // top left
  int64_t out_stride;
  const float* add;  // or null
  int64_t add_stride;
  int n_rows;     // 1 … kRowGroup
  int n_outputs;  // 1 … kPair
  // This tile's part of the pair of panels that comes next, to be fetched meanwhile: `fetch_step`
  // cache lines per block.
  const char* fetch;
  int64_t fetch_step;
};

using RunTile = void(const Tile& tile);

// Calls run(Tile) for part ith of nth. Work goes in chunks of rows that stay in the second-level
// cache, but not so few that fetching the weights again for each chunk would show; within a chunk
// down the rows, then to the next pair.
template <class Unit, class RowBlock, class Run>
void each_tile(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
               const float* add, int64_t add_stride, int ith, int nth, Run run) {
  const int64_t n_blocks = weights.k / kBlock;
  const int64_t n_units = ceil_div(n_blocks, Unit::kBlocks);
  const int64_t n_pairs = ceil_div(weights.n, kPair);
  const int64_t n_groups = ceil_div(rows.m, kRowGroup);
  const size_t group_bytes = static_cast<size_t>(n_blocks) * sizeof(RowBlock);
  const size_t panel_bytes = static_cast<size_t>(n_units) * sizeof(Unit);
  const int64_t fit = static_cast<int64_t>((size_t{512} << 10) / group_bytes);
  const int64_t chunk = fit < 16 ? 16 : fit;

  for (int64_t first = 0; first < n_groups; first += chunk) {
    const int64_t groups = min_of(chunk, n_groups - first);
    const int64_t begin = n_pairs * groups * ith / nth, end = n_pairs * groups * (ith + 1) / nth;
    for (int64_t t = begin; t < end; t++) {
      const int64_t pair = t / groups, group = first + t % groups;
      const int64_t row = group * kRowGroup, output = pair * kPair;
      const auto* panel =
          static_cast<const char*>(weights.packed) + static_cast<size_t>(pair) * 2 * panel_bytes;
      const int64_t lines = static_cast<int64_t>(2 * panel_bytes / 64);
      const int64_t fetched = lines * (t % groups) / groups;
      const bool more = t + groups < end;
      Tile tile;
      tile.rows = static_cast<const char*>(rows.data) + static_cast<size_t>(group) * group_bytes;
      tile.panel = panel;
      tile.panel_bytes = panel_bytes;
      tile.n_blocks = n_blocks;
      tile.out = out + row * out_stride + output;
      tile.out_stride = out_stride;
      tile.add = add ? add + row * add_stride + output : nullptr;
      tile.add_stride = add_stride;
      tile.n_rows = static_cast<int>(min_of(kRowGroup, rows.m - row));
      tile.n_outputs = static_cast<int>(min_of(kPair, weights.n - output));
      tile.fetch = panel + 2 * panel_bytes + fetched * 64;
      tile.fetch_step = more ? ceil_div(ceil_div(lines, groups), n_blocks) : 0;
      // Outputs lie a row apart, so stores at the end would wait for their lines: a tenth of the
      // time.
      for (int r = 0; r < tile.n_rows; r++)
        for (int o = 0; o < tile.n_outputs; o += 16)
          prefetch_to_write(tile.out + r * out_stride + o);
      run(tile);
    }
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
