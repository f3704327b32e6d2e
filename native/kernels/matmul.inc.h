// How a product is shared out, for every instruction set: tiles of kRowGroup rows by a pair of
// panels.
#pragma once

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kPair = 2 * kPanel;

struct Tile {
  const void* rows;    // the group's first block
  size_t block_bytes;  // to its next
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

// A product and what follows from its shapes.
struct Product {
  const Weights& weights;
  const Rows& rows;
  float* out;
  int64_t out_stride;
  const float* add;
  int64_t add_stride;
  int64_t n_blocks;    // of k
  size_t group_bytes;  // from a group of rows to the next
  size_t block_bytes;  // from a block of it to the next
  size_t panel_bytes;
  int64_t n_pairs;  // of panels
  int64_t n_groups;

  const char* group(int64_t i) const {
    return static_cast<const char*>(rows.data) + static_cast<size_t>(i) * group_bytes;
  }
  const char* pair(int64_t i) const {
    return static_cast<const char*>(weights.packed) + static_cast<size_t>(i) * 2 * panel_bytes;
  }
};

template <class Unit, class RowBlock>
Product product_of(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                   const float* add, int64_t add_stride) {
  const int64_t n_blocks = weights.k / kBlock;
  return {weights,
          rows,
          out,
          out_stride,
          add,
          add_stride,
          n_blocks,
          static_cast<size_t>(n_blocks) * sizeof(RowBlock),
          sizeof(RowBlock),
          static_cast<size_t>(ceil_div(n_blocks, Unit::kBlocks)) * sizeof(Unit),
          ceil_div(weights.n, kPair),
          ceil_div(rows.m, kRowGroup)};
}

// Groups [first, last) times one pair of panels. `more`: the same groups times the next pair come
// after it, so that its weights may be fetched meanwhile.
struct Stretch {
  int64_t pair, first, last;
  bool more;
};

// Calls run(Stretch) for part ith of nth, a chunk of groups after the other.
template <class Run>
void each_stretch(const Product& p, int64_t chunk, int ith, int nth, Run run) {
  for (int64_t first = 0; first < p.n_groups; first += chunk) {
    const int64_t groups = min_of(chunk, p.n_groups - first);
    const int64_t end = p.n_pairs * groups * (ith + 1) / nth;
    for (int64_t t = p.n_pairs * groups * ith / nth; t < end;) {
      const int64_t pair = t / groups, stop = min_of(end, (pair + 1) * groups);
      run(Stretch{pair, first + t % groups, first + (stop - 1) % groups + 1, stop < end});
      t = stop;
    }
  }
}

// Groups whose sums wait in memory, 73 KB.
constexpr int64_t kMostGroups = 96;
using GroupSums = float[kRowGroup][kPair];

// A group of a stretch, its sums wanted at `out`.
[[maybe_unused]] Tile tile_into(float* out, int64_t out_stride, const Product& p,
                                const Stretch& stretch, int64_t group) {
  const int64_t row = group * kRowGroup, output = stretch.pair * kPair;
  Tile tile;
  tile.rows = p.group(group);
  tile.block_bytes = p.block_bytes;
  tile.panel = p.pair(stretch.pair);
  tile.panel_bytes = p.panel_bytes;
  tile.n_blocks = p.n_blocks;
  tile.out = out;
  tile.out_stride = out_stride;
  tile.add = nullptr;
  tile.add_stride = 0;
  tile.n_rows = static_cast<int>(min_of(kRowGroup, p.rows.m - row));
  tile.n_outputs = static_cast<int>(min_of(kPair, p.weights.n - output));
  tile.fetch = nullptr;
  tile.fetch_step = 0;
  return tile;
}

// A group of a stretch.
[[maybe_unused]] Tile tile_of(const Product& p, const Stretch& stretch, int64_t group) {
  const int64_t row = group * kRowGroup, output = stretch.pair * kPair;
  Tile tile = tile_into(p.out + row * p.out_stride + output, p.out_stride, p, stretch, group);
  if (p.add) {
    tile.add = p.add + row * p.add_stride + output;
    tile.add_stride = p.add_stride;
  }
  return tile;
}

// Outputs lie a row apart, so stores at the end would wait for their lines: a tenth of the time.
[[maybe_unused]] void fetch_outputs(const Tile& tile) {
  for (int r = 0; r < tile.n_rows; r++)
    for (int o = 0; o < tile.n_outputs; o += 16)
      prefetch_to_write(tile.out + r * tile.out_stride + o);
}

// `pair` is to be fetched while the tiles of a stretch run, a part of it by each.
[[maybe_unused]] void fetch_meanwhile(Tile& tile, const Product& p, const char* pair, int64_t i,
                                      int64_t n_tiles) {
  const auto lines = static_cast<int64_t>(2 * p.panel_bytes / 64);
  tile.fetch = pair + lines * i / n_tiles * 64;
  tile.fetch_step = ceil_div(ceil_div(lines, n_tiles), p.n_blocks);
}

// Calls run(Tile) for every group of a stretch.
template <class Run>
void each_tile_of(const Product& p, const Stretch& stretch, Run run) {
  const int64_t groups = stretch.last - stretch.first;
  for (int64_t i = 0; i < groups; i++) {
    Tile tile = tile_of(p, stretch, stretch.first + i);
    if (stretch.more) fetch_meanwhile(tile, p, p.pair(stretch.pair + 1), i, groups);
    fetch_outputs(tile);
    run(tile);
  }
}

// Groups of rows that stay in the second-level cache, but not so few that fetching the weights
// again for each chunk of them would show.
[[maybe_unused]] int64_t groups_at_once(const Product& p) {
  return max_of(16, static_cast<int64_t>((size_t{512} << 10) / p.group_bytes));
}

// Calls run(Tile) for part ith of nth: in chunks of rows, within a chunk down the rows, then to the
// next pair.
template <class Run>
void each_tile(const Product& p, int ith, int nth, Run run) {
  each_stretch(p, groups_at_once(p), ith, nth,
               [&](const Stretch& stretch) { each_tile_of(p, stretch, run); });
}

template <class Unit, class RowBlock, class Run>
void each_tile(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
               const float* add, int64_t add_stride, int ith, int nth, Run run) {
  each_tile(product_of<Unit, RowBlock>(weights, rows, out, out_stride, add, add_stride), ith, nth,
            run);
}

}  // namespace
}  // namespace qwen3_embed::kernels
