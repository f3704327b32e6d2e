// From rows as they stand in the file to panels, and how large rows of activations are. Plain C++,
// and some GB a second: once for each load.
#include <cstring>

#include "layout.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// Where the code of value k of a block (0 … 31) of output `o` stands among the block's 512, and
// where what it has beyond four bits stands among 64 bytes. `kSigned`: codes that are less than
// zero in the file are so here too, and not moved up to begin at zero.
struct Place {
  int byte, turn;  // the turn'th of the eight codes that share the byte
};

// Beside the others of its output, as an instruction that sums four products wants them, …
struct Quads {
  static constexpr bool kSigned = false;
  static constexpr int at(int k, int o) { return k / 4 * 64 + o * 4 + k % 4; }
  static constexpr Place high(int k, int o) { return {o * 4 + k % 4, k / 4}; }
};
// … or in two halves of [16 outputs][2 values], which widen to two rows of a tile of BF16 pairs, …
struct Pairs {
  static constexpr bool kSigned = false;
  static constexpr int at(int k, int o) { return k / 4 * 64 + high(k, o).byte; }
  static constexpr Place high(int k, int o) { return {k % 4 / 2 * 32 + o * 2 + k % 2, k / 4}; }
};
// … or for instructions that take signed codes, four of each output, …
struct SignedQuads : Quads {
  static constexpr bool kSigned = true;
};
// … or eight of each of two outputs: two rows of a product of small matrices.
struct SignedOctets {
  static constexpr bool kSigned = true;
  static constexpr int at(int k, int o) { return k / 8 * 128 + o * 8 + k % 8; }
  static constexpr Place high(int k, int o) {
    return {o / 4 * 16 + o % 2 * 8 + k % 8, k / 8 * 2 + o / 2 % 2};
  }
};

struct TypeSize {
  int64_t values;       // per source block
  size_t source_bytes;  // of a source block
  int64_t unit_values;  // of k, per packed unit
  size_t unit_bytes;    // of 16 outputs
};

TypeSize size_of(WeightType type) {
  switch (type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return {values, sizeof(Source), Unit::kBlocks * kBlock, sizeof(Unit)};
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
  return {0, 0, 0, 0};
}

// Blocks of a mapped file stand at any even address; a copy makes them readable as structs.
template <class Source>
Source load(const uint8_t* row, int64_t index) {
  Source source;
  std::memcpy(&source, row + static_cast<size_t>(index) * sizeof(Source), sizeof(Source));
  return source;
}

// Eight 6-bit scales and minima in 12 bytes: the first four plain, the last four's top bits in the
// first four's spare ones.
void unpack_scales(const uint8_t (&packed)[12], uint8_t (&scales)[8], uint8_t (&mins)[8]) {
  for (int i = 0; i < 4; i++) {
    scales[i] = packed[i] & 63;
    mins[i] = packed[i + 4] & 63;
    scales[i + 4] = static_cast<uint8_t>((packed[i + 8] & 15) | (packed[i] >> 6 << 4));
    mins[i + 4] = static_cast<uint8_t>((packed[i + 8] >> 4) | (packed[i + 4] >> 6 << 4));
  }
}

uint8_t& byte_at(uint8_t (*vectors)[64], int at) { return vectors[at / 64][at % 64]; }

// 32 nibble codes of output `o`, given one per byte: the first half's in low nibbles.
template <class Order>
void place_nibbles(const uint8_t (&codes)[32], int o, uint8_t (&vectors)[4][64]) {
  for (int k = 0; k < 16; k++)
    byte_at(vectors, Order::at(k, o)) = static_cast<uint8_t>(codes[k] | codes[k + 16] << 4);
}

template <class Order>
void place(PackedQ8_0& unit, int o, const uint8_t* row, int64_t block, int64_t n_blocks) {
  constexpr int kMoved = Order::kSigned ? 0 : 0x80;
  for (int b = 0; b < 2 && block + b < n_blocks; b++) {
    const auto source = load<SourceQ8_0>(row, block + b);
    unit.d[b][o] = source.d;
    for (int k = 0; k < kBlock; k++)
      byte_at(unit.codes[b], Order::at(k, o)) = static_cast<uint8_t>(source.codes[k] ^ kMoved);
  }
}

template <class Order>
void place(PackedQ4_0& unit, int o, const uint8_t* row, int64_t block, int64_t n_blocks) {
  constexpr int kMoved = Order::kSigned ? 0x88 : 0;
  for (int b = 0; b < 2 && block + b < n_blocks; b++) {
    const auto source = load<SourceQ4_0>(row, block + b);
    unit.d[b][o] = source.d;
    // The file pairs value i with i + 16 in a byte: the same pairing, so bytes move whole.
    for (int k = 0; k < 16; k++)
      byte_at(unit.codes[b], Order::at(k, o)) = static_cast<uint8_t>(source.codes[k] ^ kMoved);
  }
}

// The turn'th `width` bits of a byte become `bits`.
void set_bits(uint8_t& byte, int width, int turn, int bits) {
  const int mask = ((1 << width) - 1) << turn * width;
  byte = static_cast<uint8_t>((byte & ~mask) | bits << turn * width);
}

template <class Order, class Unit, class Source>
void place_with_mins(Unit& unit, int o, const Source& source) {
  unit.d[o] = source.d;
  unit.dmin[o] = source.dmin;
  uint8_t scales[8], mins[8];
  unpack_scales(source.scales, scales, mins);
  for (int b = 0; b < 8; b++) {
    unit.scales[b][o] = scales[b];
    unit.mins[b][o] = mins[b];
    uint8_t codes[32];
    for (int i = 0; i < 32; i++) codes[i] = (source.codes[b / 2 * 32 + i] >> (b % 2 * 4)) & 15;
    place_nibbles<Order>(codes, o, unit.codes[b]);
  }
}

template <class Order>
void place(PackedQ4_K& unit, int o, const uint8_t* row, int64_t block, int64_t) {
  place_with_mins<Order>(unit, o, load<SourceQ4_K>(row, block / 8));
}

template <class Order>
void place(PackedQ5_K& unit, int o, const uint8_t* row, int64_t block, int64_t) {
  const auto source = load<SourceQ5_K>(row, block / 8);
  place_with_mins<Order>(unit, o, source);
  for (int b = 0; b < 8; b++)
    for (int k = 0; k < kBlock; k++) {
      const Place to = Order::high(k, o);
      set_bits(unit.high[b][to.byte], 1, to.turn, source.high[k] >> b & 1);
    }
}

template <class Order>
void place(PackedQ6_K& unit, int o, const uint8_t* row, int64_t block, int64_t) {
  const auto source = load<SourceQ6_K>(row, block / 8);
  unit.d[o] = source.d;
  unit.unused[o] = 0;
  for (int b = 0; b < 8; b++) {
    unit.scales[b][0][o] = source.scales[b * 2];
    unit.scales[b][1][o] = source.scales[b * 2 + 1];
    // Of each 128 values: low nibbles of quarters 0, 1 then 2, 3 in the high ones; two top bits per
    // quarter.
    const int quarter = b % 4;
    const uint8_t* low = source.low + b / 4 * 64 + quarter % 2 * 32;
    const uint8_t* high = source.high + b / 4 * 32;
    uint8_t codes[32];
    for (int i = 0; i < 32; i++) codes[i] = (low[i] >> (quarter / 2 * 4)) & 15;
    place_nibbles<Order>(codes, o, unit.codes[b]);
    for (int k = 0; k < kBlock; k++) {
      const Place to = Order::high(k, o);
      const int two = (high[k] >> (quarter * 2) & 3) ^ (Order::kSigned ? 2 : 0);
      set_bits(unit.high[b][to.turn / 4][to.byte], 2, to.turn % 4, two);
    }
  }
}

template <class Order>
void place(PackedF32& unit, int o, const uint8_t* row, int64_t block, int64_t) {
  float values[32];
  std::memcpy(values, row + block * 128, sizeof values);
  for (int i = 0; i < 32; i++) unit.values[i][o] = values[i];
}

template <class Order>
void place(PackedF16& unit, int o, const uint8_t* row, int64_t block, int64_t) {
  uint16_t values[32];
  std::memcpy(values, row + block * 64, sizeof values);
  for (int i = 0; i < 32; i++) unit.values[i][o] = values[i];
}

template <class Order>
void place(PackedBf16& unit, int o, const uint8_t* row, int64_t block, int64_t) {
  for (int i = 0; i < 16; i++) std::memcpy(unit.values[i][o], row + block * 64 + i * 4, 4);
}

template <class Order, class Unit>
void pack_units(const uint8_t* source, size_t row_bytes, int64_t n, int64_t k, int64_t begin,
                int64_t end, void* packed) {
  const int64_t n_blocks = k / kBlock, n_units = ceil_div(n_blocks, Unit::kBlocks);
  for (int64_t panel = begin; panel < end; panel++) {
    Unit* units = static_cast<Unit*>(packed) + panel * n_units;
    const int64_t rows = min_of(kPanel, n - panel * kPanel);
    for (int64_t u = 0; u < n_units; u++) {
      // Missing outputs and blocks have zero scales: they add nothing, and no byte is left
      // undefined.
      if (rows < kPanel || (u + 1) * Unit::kBlocks > n_blocks)
        std::memset(&units[u], 0, sizeof(Unit));
      for (int o = 0; o < rows; o++)
        place<Order>(units[u], o,
                     source + static_cast<size_t>((panel - begin) * kPanel + o) * row_bytes,
                     u * Unit::kBlocks, n_blocks);
    }
  }
}

template <class Order>
void pack_in(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
             int64_t panel_end, void* packed) {
  const auto* bytes = static_cast<const uint8_t*>(source);
  const size_t row = source_row_bytes(type, k);
  switch (type) {
#define X(name, Unit, Source, values, RowBlock) \
  case WeightType::name:                        \
    return pack_units<Order, Unit>(bytes, row, n, k, panel_begin, panel_end, packed);
    QWEN3_WEIGHT_TYPES(X)
#undef X
  }
}

}  // namespace

bool panels_packable(uint32_t gguf_type, int64_t k) {
  const TypeSize size = size_of(static_cast<WeightType>(gguf_type));
  return size.values > 0 && k > 0 && k % kBlock == 0 && k % size.values == 0;
}

size_t source_row_bytes(WeightType type, int64_t k) {
  const TypeSize size = size_of(type);
  return static_cast<size_t>(k / size.values) * size.source_bytes;
}

size_t panels_bytes(WeightType type, int64_t n, int64_t k) {
  const TypeSize size = size_of(type);
  return static_cast<size_t>(ceil_div(n, kPanel) * ceil_div(k, size.unit_values)) * size.unit_bytes;
}

void pack_panels(WeightType type, const void* source, int64_t n, int64_t k, int64_t panel_begin,
                 int64_t panel_end, void* packed) {
  pack_in<Quads>(type, source, n, k, panel_begin, panel_end, packed);
}

void pack_panels_of_pairs(WeightType type, const void* source, int64_t n, int64_t k,
                          int64_t panel_begin, int64_t panel_end, void* packed) {
  pack_in<Pairs>(type, source, n, k, panel_begin, panel_end, packed);
}

void pack_panels_signed(WeightType type, const void* source, int64_t n, int64_t k,
                        int64_t panel_begin, int64_t panel_end, void* packed) {
  pack_in<SignedQuads>(type, source, n, k, panel_begin, panel_end, packed);
}

void pack_panels_of_octets(WeightType type, const void* source, int64_t n, int64_t k,
                           int64_t panel_begin, int64_t panel_end, void* packed) {
  pack_in<SignedOctets>(type, source, n, k, panel_begin, panel_end, packed);
}

size_t grouped_rows_bytes(RowFormat format, int64_t m, int64_t k) {
  const auto blocks = static_cast<size_t>(ceil_div(m, kRowGroup) * (k / kBlock));
  switch (format) {
    case RowFormat::kQ8:
      return blocks * sizeof(RowBlockQ8);
    case RowFormat::kQ16:
      return blocks * sizeof(RowBlockQ16);
    case RowFormat::kBf16:
      return blocks * sizeof(RowBlockBf16);
    case RowFormat::kBf16Sums:
      return 2 * blocks * sizeof(RowBlockBf16);
    case RowFormat::kF32:
      return blocks * sizeof(RowBlockF32);
    case RowFormat::kPlain:
      return static_cast<size_t>(m * k) * sizeof(float);
  }
  return 0;
}

}  // namespace qwen3_embed::kernels
