#include "index/scan.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace qwen3_embed {

void scan(const Codes& codes, const int8_t* query, float query_scale, float* cosines) {
  constexpr size_t kTile = 1024;
  const kernels::Kernels& set = *kernels::best();
  int32_t sums[kTile];
  for (size_t first = 0; first < codes.n; first += kTile) {
    const size_t n = std::min(kTile, codes.n - first);
    set.scan(codes.values + first * codes.width, static_cast<int64_t>(n),
             static_cast<int64_t>(codes.width), query, sums);
    for (size_t i = 0; i < n; i++)
      cosines[first + i] = static_cast<float>(sums[i]) * codes.scales[first + i] * query_scale;
  }
}

}  // namespace qwen3_embed
