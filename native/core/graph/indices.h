// All whole numbers that a graph reads, ids, places and lists of rows, as one tensor: each upload
// waits for the device, so there is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace qwen3_embed {

// Values [first, first + n) of the tensor.
struct Slice {
  int32_t first = 0, n = 0;
};

class Indices {
 public:
  Slice add(const std::vector<int32_t>& values) {
    const Slice slice{static_cast<int32_t>(values_.size()), static_cast<int32_t>(values.size())};
    values_.insert(values_.end(), values.begin(), values.end());
    // Devices read from multiples of 256 bytes.
    constexpr size_t kMultiple = 256 / sizeof(int32_t);
    values_.resize((values_.size() + kMultiple - 1) / kMultiple * kMultiple);
    return slice;
  }
  const std::vector<int32_t>& values() const { return values_; }

 private:
  std::vector<int32_t> values_;
};

}  // namespace qwen3_embed
