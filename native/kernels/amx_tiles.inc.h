// The shapes of tiles, for every source that multiplies with them.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace qwen3_embed::kernels {
namespace {

constexpr int kTileRows = 16;
constexpr int64_t kTileBytes = 1024;

// As LDTILECFG reads it: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64, "LDTILECFG");

// GCC's tile instructions do not say all the memory that they read: what was written before is
// written here.
inline void settle_memory() { __asm__ volatile("" ::: "memory"); }
inline void settle_memory(const void* of) { __asm__ volatile("" ::"r"(of) : "memory"); }

// While one lives its thread may use tiles.
class UseTiles {
 public:
  UseTiles() {
    const TileShapes shapes;
    settle_memory(&shapes);
    _tile_loadconfig(&shapes);
  }
  ~UseTiles() { _tile_release(); }
  UseTiles(const UseTiles&) = delete;
  UseTiles& operator=(const UseTiles&) = delete;
};

}  // namespace
}  // namespace qwen3_embed::kernels
