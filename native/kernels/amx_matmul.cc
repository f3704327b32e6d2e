// Products with AMX tiles of BF16 pairs: 32 rows by 32 outputs in four tiles of sums. Quantised
// weights are widened to BF16 a pair of panels at a time, once for all rows that stay in the
// second-level cache. One order of summation: k in steps of 32, whatever the rows around.
#include <type_traits>

#include "vec_avx512.h"
// After the vector type it is written over.
#include "amx_widen.inc.h"
#include "sets.h"
#include "swiglu.inc.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kMostRows = 512;  // whose sums wait for the next chunk

using RowTile = RowsOfBf16<kTileRows>;
static_assert(sizeof(RowTile) == kTileBytes, "a tile");

// ---- 32 × 32 sums ----

// Sums of 32 rows by 32 outputs.
struct alignas(64) Sums {
  float values[2 * kTileRows][2 * kPanel];
};
constexpr size_t kSumsStride = sizeof(float) * 2 * kPanel;

// Where 32 × 32 sums go: to floats, …
struct Floats {
  float* out = nullptr;  // top left
  int64_t stride = 0;
  const float* add = nullptr;  // or null
  int64_t add_stride = 0;
  int64_t n_rows = 0;     // 0 … 32
  int64_t n_outputs = 0;  // 1 … 32

  // Outputs lie a row apart: stores would wait for their lines.
  void fetch(int64_t row) const {
    if (row >= n_rows) return;
    prefetch_to_write(out + row * stride);
    prefetch_to_write(out + row * stride + n_outputs - 1);
  }

  void finish(const Sums* sums, int64_t row) const {
    if (row >= n_rows) return;
    for (int64_t o = 0; o < n_outputs; o += kPanel) {
      const int64_t n = n_outputs - o;
      const auto mask = static_cast<__mmask16>(n >= kPanel ? 0xffff : (1 << n) - 1);
      __m512 sum = _mm512_load_ps(sums->values[row] + o);
      if (add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, add + row * add_stride + o));
      _mm512_mask_storeu_ps(out + row * stride + o, mask, sum);
    }
  }
};

// … or, of 16 gates and the 16 values they let through, to rows of BF16.
struct Gated {
  RowTile* rows = nullptr;  // the tile of the first row, for the block of k that holds the outputs
  int64_t to_next = 0;      // tile of rows
  int64_t column = 0;       // of the first output in its block: 0 or 16
  int64_t n_rows = 0;       // 0 … 32

  uint16_t* at(int64_t row) const {
    return rows[row / kTileRows * to_next].values[row % kTileRows] + column;
  }
  void fetch(int64_t row) const {
    if (row < n_rows) prefetch_to_write(at(row));
  }
  void finish(const Sums* sums, int64_t row) const {
    if (row >= n_rows) return;
    const __m512 product =
        swiglu(_mm512_load_ps(sums->values[row]), _mm512_load_ps(sums->values[row] + kPanel));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at(row)),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(product)));
  }
};

// What the vector units do while the tiles multiply, a little with each block: the chunk that comes
// next is widened, the sums before these are finished and the lines that these go to are fetched.
template <class Unit, class Target>
class Beside {
 public:
  // `n_blocks` and `n_tiles`: of the chunk that is multiplied.
  Beside(Chunk<Unit>& next, int64_t n_blocks, int64_t n_tiles)
      : next_(next), rows_at_once_(ceil_div(2 * kTileRows, n_blocks)) {
    const int64_t n_steps = n_blocks * n_tiles, n = next.to_widen();
    if (n == 0) return;
    // A tile's load waits for every store before it that looks alike in the last 12 bits of its
    // address. Step i loads the i-th KiB of everything: the stores of the i-th, modulo 4, are the
    // farthest from the next such load.
    every_ = n_steps / n / 4 * 4;
    if (every_ == 0) at_once_ = ceil_div(n, n_steps);
  }

  void begin(const Target& target) { target_ = target; }
  void end(const Sums& sums) { unfinished_ = target_, sums_ = &sums, target_ = {}; }

  void step(int64_t i) {
    for (int64_t row = i * rows_at_once_; row < (i + 1) * rows_at_once_; row++) {
      target_.fetch(row);
      unfinished_.finish(sums_, row);
    }
    if (every_ == 0) {
      for (int64_t j = 0; j < at_once_ && next_.to_widen() > 0; j++) next_.widen_one();
    } else if (steps_++ == due_ && next_.to_widen() > 0) {
      next_.widen_one();
      widened_++;
      due_ = widened_ * every_ + widened_ % 4;
    }
  }
  // After the steps of a chunk, which have finished the sums before it.
  void forget_finished() { unfinished_ = {}; }
  void finish() {
    for (int64_t row = 0; row < unfinished_.n_rows; row++) unfinished_.finish(sums_, row);
    unfinished_ = {};
  }

 private:
  Chunk<Unit>& next_;
  int64_t rows_at_once_;
  int64_t every_ = 0, at_once_ = 0, steps_ = 0, widened_ = 0, due_ = 0;
  Target target_, unfinished_;
  const Sums* sums_ = nullptr;
};

// Adds a chunk of k, for one or two tiles of rows and of outputs; tiles 0 to 3 are the sums.
template <int kRows, int kOutputs, class Unit, class Beside>
void add_chunk(const RowTile* rows, int64_t to_second, const Chunk<Unit>& weights, bool first,
               Sums& sums, Beside& beside) {
  settle_memory();
  if (first) {
    _tile_zero(0);
    if (kOutputs > 1) _tile_zero(1);
    if (kRows > 1) _tile_zero(2);
    if (kRows > 1 && kOutputs > 1) _tile_zero(3);
  } else {
    _tile_loadd(0, sums.values[0], kSumsStride);
    if (kOutputs > 1) _tile_loadd(1, sums.values[0] + 16, kSumsStride);
    if (kRows > 1) _tile_loadd(2, sums.values[16], kSumsStride);
    if (kRows > 1 && kOutputs > 1) _tile_loadd(3, sums.values[16] + 16, kSumsStride);
  }
  const RowTile* second = rows + to_second;
  const WeightTile *left = weights.tiles(0), *right = weights.tiles(1);
  const int64_t n = weights.n_blocks();
  for (int64_t i = 0; i < n; i++) {
    _tile_loadd(4, rows[i].values, 64);
    _tile_loadd(6, left[i].values, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (kOutputs > 1) {
      _tile_loadd(7, right[i].values, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if (kRows > 1) {
      _tile_loadd(5, second[i].values, 64);
      _tile_dpbf16ps(2, 5, 6);
      if (kOutputs > 1) _tile_dpbf16ps(3, 5, 7);
    }
    beside.step(i);
  }
  beside.forget_finished();
  _tile_stored(0, sums.values[0], kSumsStride);
  if (kOutputs > 1) _tile_stored(1, sums.values[0] + 16, kSumsStride);
  if (kRows > 1) _tile_stored(2, sums.values[16], kSumsStride);
  if (kRows > 1 && kOutputs > 1) _tile_stored(3, sums.values[16] + 16, kSumsStride);
}

// ---- a product ----

// Rows that stay in the second-level cache, but not so few that widening the weights again for each
// such run of rows would show.
int64_t rows_at_once(int64_t k) {
  constexpr int64_t kBytes = int64_t{5} << 18;
  const int64_t fit = kBytes / (k * static_cast<int64_t>(sizeof(uint16_t)));
  return min_of(kMostRows, fit < 128 ? 128 : fit / (2 * kTileRows) * (2 * kTileRows));
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
  using Target = Gated;

  const Weights& gate;
  const Weights& up;
  const Rows& out;

  int64_t n_pairs() const { return gate.n / kPanel; }
  Panels<Unit> panels(int64_t pair, int64_t n_units) const {
    return {static_cast<const Unit*>(gate.packed) + pair * n_units,
            static_cast<const Unit*>(up.packed) + pair * n_units};
  }
  Gated target(int64_t pair, int64_t row, int64_t n_rows) const {
    const int64_t n_blocks = out.k / kBlock, output = pair * kPanel;
    return {static_cast<RowTile*>(out.data) + row / kTileRows * n_blocks + output / kBlock,
            n_blocks, output % kBlock, n_rows};
  }
};

template <class Unit, class Job>
class Product {
 public:
  Product(const Job& job, const Rows& rows)
      : job_(job),
        n_blocks_(rows.k / kBlock),
        n_units_(ceil_div(n_blocks_, Unit::kBlocks)),
        n_chunks_(ceil_div(n_blocks_, kChunk)),
        rows_(static_cast<const RowTile*>(rows.data)),
        m_(rows.m) {}

  // Pairs of panels [begin, end), for all rows.
  void run(int64_t begin, int64_t end) {
    const UseTiles tiles;
    const int64_t run = rows_at_once(n_blocks_ * kBlock), n = (end - begin) * n_chunks_;
    for (int64_t top = 0; top < m_; top += run) {
      Chunk<Unit> chunk = this->chunk(begin, 0);
      chunk.widen();
      for (int64_t i = 0; i < n; i++) {
        Chunk<Unit> next;
        if (i + 1 < n) next = this->chunk(begin, i + 1);
        multiply(begin + i / n_chunks_, i % n_chunks_, top, min_of(run, m_ - top), chunk, next);
        next.widen();
        chunk = next;
      }
    }
  }

 private:
  using Target = typename Job::Target;

  // The i-th chunk from the start of pair `begin`.
  Chunk<Unit> chunk(int64_t begin, int64_t i) {
    const int64_t first = i % n_chunks_ * kChunk;
    return {job_.panels(begin + i / n_chunks_, n_units_), first, min_of(kChunk, n_blocks_ - first),
            wide_[i % 2]};
  }

  void multiply(int64_t pair, int64_t index, int64_t top, int64_t n_rows, const Chunk<Unit>& chunk,
                Chunk<Unit>& next) {
    using Beside = kernels::Beside<Unit, Target>;
    const bool first = index == 0, last = index + 1 == n_chunks_;
    const bool two = job_.panels(pair, n_units_).second != nullptr;
    const int64_t n_tiles = ceil_div(n_rows, 2 * kTileRows);
    Beside beside(next, chunk.n_blocks(), n_tiles);
    for (int64_t i = 0; i < n_tiles; i++) {
      const int64_t row = top + i * 2 * kTileRows;
      const int64_t n = min_of(2 * kTileRows, n_rows - i * 2 * kTileRows);
      const RowTile* tiles = rows_ + row / kTileRows * n_blocks_ + index * kChunk;
      const auto add = n > kTileRows
                           ? two ? add_chunk<2, 2, Unit, Beside> : add_chunk<2, 1, Unit, Beside>
                       : two ? add_chunk<1, 2, Unit, Beside>
                             : add_chunk<1, 1, Unit, Beside>;
      if (last) beside.begin(job_.target(pair, row, n));
      add(tiles, n_blocks_, chunk, first, sums_[i], beside);
      if (last) beside.end(sums_[i]);
    }
    beside.finish();
  }

  const Job job_;
  const int64_t n_blocks_, n_units_, n_chunks_;
  const RowTile* rows_;
  const int64_t m_;
  alignas(4096) WeightTile wide_[2][2][kChunk];
  alignas(64) Sums sums_[kMostRows / (2 * kTileRows)];
};

// Parts are runs of `multiple` pairs of panels.
template <class Unit, class Job>
void multiply(const Job& job, const Rows& rows, int64_t multiple, int ith, int nth) {
  const int64_t n_pairs = job.n_pairs(), n = ceil_div(n_pairs, multiple);
  const int64_t begin = n * ith / nth * multiple;
  const int64_t end = min_of(n_pairs, n * (ith + 1) / nth * multiple);
  if (begin < end && rows.m > 0) Product<Unit, Job>(job, rows).run(begin, end);
}

template <class Unit, class RowBlock>
constexpr bool kTakesBf16 =
    std::is_same_v<Unit, PackedBf16> || std::is_same_v<RowBlock, RowBlockQ8>;

}  // namespace

void amx_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                const float* add, int64_t add_stride, int ith, int nth) {
  if (rows.format != RowFormat::kBf16)
    return avx512_matmul(weights, rows, out, out_stride, add, add_stride, ith, nth);
  switch (weights.type) {
#define X(name, Unit, Source, values, RowBlock)                                                    \
  case WeightType::name:                                                                           \
    if constexpr (kTakesBf16<Unit, RowBlock>)                                                      \
      multiply<Unit>(Outputs<Unit>{weights, out, out_stride, add, add_stride}, rows, 1, ith, nth); \
    return;
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

void amx_matmul_swiglu(const Weights& gate, const Weights& up, const Rows& rows, const Rows& out,
                       int ith, int nth) {
  switch (gate.type) {
#define X(name, Unit, Source, values, RowBlock)                      \
  case WeightType::name:                                             \
    if constexpr (kTakesBf16<Unit, RowBlock>)                        \
      multiply<Unit>(Gates<Unit>{gate, up, out}, rows, 2, ith, nth); \
    return;
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace qwen3_embed::kernels
