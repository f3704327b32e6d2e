// Whose turn it is where interactive and bulk texts both wait. Pure.
#pragma once

#include <algorithm>

namespace qwen3_embed {

// Interactive texts go first, but bulk texts get one part in nine of the time, in slices as short
// as the engine can make them.
class Shares {
 public:
  bool bulk_is_due() const { return owed_ms_ > 0 && owed_ms_ >= slice_ms_; }
  // Interactive texts ran for so long while bulk texts waited.
  void interactive_ran(double ms) { owed_ms_ += ms / kInteractiveParts; }
  // Bulk texts ran for so long before anything else could.
  void bulk_ran(double ms) {
    slice_ms_ = ms;
    owed_ms_ = std::max(0.0, owed_ms_ - ms);
  }

 private:
  static constexpr double kInteractiveParts = 8;
  double owed_ms_ = 0;   // to bulk texts
  double slice_ms_ = 0;  // the latest
};

}  // namespace qwen3_embed
