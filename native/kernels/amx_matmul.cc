// Products with AMX tiles of BF16 pairs: 32 rows by 32 outputs in four tiles of sums. Quantised
// weights are widened to BF16 a pair of panels at a time, once for all rows that stay in the
// second-level cache. One order of summation, whatever the rows around: k in steps of 32 within
// chunks, and these one after the other.
#include "vec_avx512.h"
// After the vector type it is written over.
#include "amx_settle.inc.h"
#include "amx_widen.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kMostRows = 512;  // whose sums wait for the next chunk

// The chunk that comes next is widened while the tiles multiply, a little with each block.
template <class Unit>
class Widening {
 public:
  // `n_steps`: in which to do it.
  Widening(Chunk<Unit>& next, int64_t n_steps) : next_(next) {
    const int64_t n = next.to_widen();
    if (n == 0) return;
    // A tile's load waits for every store before it that looks alike in the last 12 bits of its
    // address. Step i loads the i-th KiB of everything: the stores of the i-th, modulo 4, are the
    // farthest from the next such load.
    every_ = n_steps / n / 4 * 4;
    if (every_ == 0) at_once_ = ceil_div(n, n_steps);
  }

  void step() {
    if (every_ == 0) {
      for (int64_t j = 0; j < at_once_ && next_.to_widen() > 0; j++) next_.widen_one();
    } else if (steps_++ == due_ && next_.to_widen() > 0) {
      next_.widen_one();
      widened_++;
      due_ = widened_ * every_ + widened_ % 4;
    }
  }

 private:
  Chunk<Unit>& next_;
  int64_t every_ = 0, at_once_ = 0, steps_ = 0, widened_ = 0, due_ = 0;
};

// Adds a product to the sums in tiles 0 to 3, of one or two tiles of rows (4 and 5) with as many of
// outputs (6 and 7), which are loaded or still there. Rows pass through the first-level cache,
// which the weights are to stay in.
template <int kRows, int kOutputs, bool kLoadsRows, bool kLoadsWeights>
void add_product(const RowTile* first, const RowTile* second, const WeightTile* left,
                 const WeightTile* right) {
  if (kLoadsRows) _tile_stream_loadd(4, first->values, 64);
  if (kLoadsWeights) _tile_loadd(6, left->values, 64);
  _tile_dpbf16ps(0, 4, 6);
  if (kOutputs > 1) {
    if (kLoadsWeights) _tile_loadd(7, right->values, 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  if (kRows > 1) {
    if (kLoadsRows) _tile_stream_loadd(5, second->values, 64);
    _tile_dpbf16ps(2, 5, 6);
    if (kOutputs > 1) _tile_dpbf16ps(3, 5, 7);
  }
}

// A block of k. Of sums of two, high and low, low times low is beyond what rows hold.
template <int kRows, int kOutputs, int kTerms>
void add_block(const RowTile* first, const RowTile* second, const WeightTile* left,
               const WeightTile* right) {
  if constexpr (kTerms > 1) {
    add_product<kRows, kOutputs, true, true>(first, second, left + 1, right + 1);
    add_product<kRows, kOutputs, false, true>(first, second, left, right);
    add_product<kRows, kOutputs, true, false>(first + 1, second + 1, left, right);
  } else {
    add_product<kRows, kOutputs, true, true>(first, second, left, right);
  }
}

// Multiplies a chunk of k, for one or two tiles of rows and of outputs.
template <int kRows, int kOutputs, class Unit, class Settle>
void multiply_chunk(const RowTile* rows, int64_t to_second, const Chunk<Unit>& weights, Sums& sums,
                    Widening<Unit>& widening, const Settle settle) {
  settle_memory();
  _tile_zero(0);
  if (kOutputs > 1) _tile_zero(1);
  if (kRows > 1) _tile_zero(2);
  if (kRows > 1 && kOutputs > 1) _tile_zero(3);
  constexpr int kT = kTerms<Unit>;
  const RowTile* second = rows + to_second;
  const WeightTile *left = weights.tiles(0), *right = weights.tiles(1);
  const int64_t n = weights.n_blocks();
  for (int64_t i = 0; i < n; i++) {
    add_block<kRows, kOutputs, kT>(rows + i * kT, second + i * kT, left + i * kT, right + i * kT);
    for (int64_t j = i * kT; j < (i + 1) * kT; j++) settle.step(j);
    widening.step();
  }
  _tile_stored(0, sums.tiles[0][0], 64);
  if (kOutputs > 1) _tile_stored(1, sums.tiles[0][1], 64);
  if (kRows > 1) _tile_stored(2, sums.tiles[1][0], 64);
  if (kRows > 1 && kOutputs > 1) _tile_stored(3, sums.tiles[1][1], 64);
}

// ---- a product ----

// Runs of rows that stay in the second-level cache, but not so few that widening the weights again
// for each run would show; of one length, but for the last.
int64_t rows_at_once(int64_t m, int64_t row_bytes) {
  constexpr int64_t kBytes = int64_t{5} << 18, kFew = 128;
  const int64_t fit = kBytes / row_bytes;
  const int64_t most = min_of(kMostRows, fit < kFew ? kFew : fit / kTilePair * kTilePair);
  return ceil_div(ceil_div(m, ceil_div(m, most)), kTilePair) * kTilePair;
}

// What one product multiplies and where it puts it, two panels at a time: the outputs of one matrix
// in their order …
template <class Unit>
struct Outputs {
  using Target = Floats;
  static constexpr int64_t kPair = 2 * kPanel;

  const Weights& weights;
  float* out;
  int64_t out_stride;
  const float* add;
  int64_t add_stride;

  int64_t n_pairs() const { return ceil_div(weights.n, kPair); }
  int64_t width(int64_t pair) const { return min_of(kPair, weights.n - pair * kPair); }
  Panels<Unit> panels(int64_t pair, int64_t n_units) const {
    const Unit* first = static_cast<const Unit*>(weights.packed) + pair * 2 * n_units;
    return {first, width(pair) > kPanel ? first + n_units : nullptr};
  }
  Floats target(int64_t pair, int64_t row, int64_t n_rows) const {
    return {out + row * out_stride + pair * kPair,
            out_stride,
            add ? add + row * add_stride + pair * kPair : nullptr,
            add_stride,
            n_rows,
            width(pair)};
  }
};

// … or a panel of gates beside the same one of what they let through. Two of these make a block of
// the rows that are written, so that no two parts write to one line.
template <class Unit>
struct Gates {
  using Target = Gated<kTerms<Unit>>;

  const Weights& gate;
  const Weights& up;
  const Rows& out;

  int64_t n_pairs() const { return gate.n / kPanel; }
  Panels<Unit> panels(int64_t pair, int64_t n_units) const {
    return {static_cast<const Unit*>(gate.packed) + pair * n_units,
            static_cast<const Unit*>(up.packed) + pair * n_units};
  }
  Target target(int64_t pair, int64_t row, int64_t n_rows) const {
    const int64_t n_blocks = out.k / kBlock, output = pair * kPanel;
    auto* rows = static_cast<RowTile(*)[kTerms<Unit>]>(out.data);
    return {rows + row / kTileRows * n_blocks + output / kBlock, n_blocks, output % kBlock, n_rows};
  }
};

template <class Unit, class Job>
class Product {
 public:
  Product(const Job& job, const Rows& rows)
      : job_(job),
        n_blocks_(rows.k / kBlock),
        n_units_(ceil_div(n_blocks_, Unit::kBlocks)),
        n_chunks_(ceil_div(n_blocks_, kChunk<Unit>)),
        rows_(static_cast<const RowTile*>(rows.data)) {}

  // Pairs of panels [begin, end), for rows [top, top + n_rows).
  void run(int64_t begin, int64_t end, int64_t top, int64_t n_rows) {
    const UseTiles tiles;
    const int64_t n = (end - begin) * n_chunks_;
    Chunk<Unit> chunk = this->chunk(begin, 0);
    chunk.widen();
    for (int64_t i = 0; i < n; i++) {
      Chunk<Unit> next;
      if (i + 1 < n) next = this->chunk(begin, i + 1);
      multiply(begin + i / n_chunks_, i % n_chunks_, top, n_rows, chunk, next);
      next.widen();
      chunk = next;
    }
    pending_.settle();
    pending_ = {};
  }

 private:
  using Target = typename Job::Target;

  // The i-th chunk from the start of pair `begin`.
  Chunk<Unit> chunk(int64_t begin, int64_t i) {
    const int64_t n = min_of(kChunk<Unit>, n_blocks_ - i % n_chunks_ * kChunk<Unit>);
    return {place(begin, i), n, place(begin, i + 1), wide_[i % 2]};
  }
  // Where it starts; of what there is none, the last one's.
  Panels<Unit> place(int64_t begin, int64_t i) const {
    const int64_t pair = min_of(begin + i / n_chunks_, job_.n_pairs() - 1);
    return job_.panels(pair, n_units_).from(i % n_chunks_ * kChunk<Unit> / Unit::kBlocks);
  }

  void multiply(int64_t pair, int64_t index, int64_t top, int64_t n_rows, const Chunk<Unit>& chunk,
                Chunk<Unit>& next) {
    const bool is_first = index == 0, is_last = index + 1 == n_chunks_;
    const int64_t n_row_tiles = n_blocks_ * kTerms<Unit>;
    const bool two = job_.panels(pair, n_units_).second != nullptr;
    const int64_t n_tiles = ceil_div(n_rows, kTilePair);
    Widening<Unit> widening(next, chunk.n_blocks() * n_tiles);
    for (int64_t i = 0; i < n_tiles; i++) {
      const int64_t row = top + i * kTilePair, n = min_of(kTilePair, n_rows - i * kTilePair);
      const RowTile* tiles = rows_ + row / kTileRows * n_row_tiles + index * kChunkTiles;
      Sums& sums = is_first && !is_last ? sums_[i] : chunk_sums_[i_sums_ ^= 1];
      const bool by_the_way = n > kTileRows && two && chunk.n_blocks() == kChunk<Unit> &&
                              !pending_.is_none() && pending_.is_full();
      if (!by_the_way) {
        pending_.settle();
        const SettleNothing nothing;
        const auto multiply = n > kTileRows ? two ? multiply_chunk<2, 2, Unit, SettleNothing>
                                                  : multiply_chunk<2, 1, Unit, SettleNothing>
                              : two ? multiply_chunk<1, 2, Unit, SettleNothing>
                                            : multiply_chunk<1, 1, Unit, SettleNothing>;
        multiply(tiles, n_row_tiles, chunk, sums, widening, nothing);
      } else if (!pending_.is_last) {
        multiply_chunk<2, 2, Unit>(
            tiles, n_row_tiles, chunk, sums, widening,
            SettleBefore{pending_.chunk->of(0, 0), pending_.before->of(0, 0)});
      } else {
        settling(pending_, [&](const auto settle) {
          multiply_chunk<2, 2, Unit>(tiles, n_row_tiles, chunk, sums, widening, settle);
        });
      }
      if (is_last) {
        pending_ = {&sums, is_first ? nullptr : &sums_[i], true, job_.target(pair, row, n)};
      } else if (is_first) {
        pending_ = {};
      } else {
        pending_ = {&sums, &sums_[i], false, {}};
      }
    }
  }

  const Job job_;
  const int64_t n_blocks_, n_units_, n_chunks_;
  const RowTile* rows_;
  Pending<Target> pending_;
  int i_sums_ = 0;
  alignas(4096) WeightTile wide_[2][2][kChunkTiles];
  Sums chunk_sums_[2];
  Sums sums_[kMostRows / kTilePair];
};

// Parts are for one run of rows after the other, each so many times `multiple` pairs of panels.
template <class Unit, class Job>
void multiply(const Job& job, const Rows& rows, int64_t multiple, int ith, int nth) {
  if (rows.m == 0) return;
  const int64_t row_bytes = rows.k * kTerms<Unit> * static_cast<int64_t>(sizeof(uint16_t));
  const int64_t run = rows_at_once(rows.m, row_bytes), n_pairs = job.n_pairs();
  const int64_t n = ceil_div(n_pairs, multiple), all = n * ceil_div(rows.m, run);
  const int64_t end = all * (ith + 1) / nth;
  int64_t at = all * ith / nth;
  if (at == end) return;
  Product<Unit, Job> product(job, rows);
  while (at < end) {
    const int64_t top = at / n * run, stop = min_of(end, (at / n + 1) * n);
    product.run(at % n * multiple, min_of(n_pairs, ((stop - 1) % n + 1) * multiple), top,
                min_of(run, rows.m - top));
    at = stop;
  }
}

template <class Unit, class RowBlock>
constexpr bool kByTiles =
    kTerms<Unit> > 1 || std::is_same_v<Unit, PackedBf16> || std::is_same_v<RowBlock, RowBlockQ8>;

}  // namespace

void amx_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                const float* add, int64_t add_stride, int ith, int nth) {
  if (weights.type == WeightType::kF32)
    return avx512_matmul(weights, rows, out, out_stride, add, add_stride, ith, nth);
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock)                                                    \
  case WeightType::name:                                                                           \
    if constexpr (kByTiles<Unit, RowBlock>)                                                        \
      multiply<Unit>(Outputs<Unit>{weights, out, out_stride, add, add_stride}, rows, 1, ith, nth); \
    return;
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

void amx_matmul_swiglu(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                       int ith, int nth) {
  if (gate.type == WeightType::kF32) return avx512_matmul_swiglu(gate, up, rows, out, ith, nth);
  switch (gate.type) {
#define X(name, Unit, Source, values, RowBlock)                      \
  case WeightType::name:                                             \
    if constexpr (kByTiles<Unit, RowBlock>)                          \
      multiply<Unit>(Gates<Unit>{gate, up, out}, rows, 2, ith, nth); \
    return;
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
