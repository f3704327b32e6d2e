// Whose turn it is where interactive and bulk texts both wait, and how much of the time either
// gets. Pure; all of the policy there is.
#pragma once

#include <algorithm>
#include <cstddef>

namespace qwen3_embed {

// Sequences a pack is chosen from, in packs: enough for equal prefixes to meet, few enough that a
// text which arrives meanwhile does not wait for a whole corpus to be tokenised.
constexpr size_t kLookaheadPacks = 8;
constexpr size_t kLookaheadTexts = 4096;
// Bytes that are tokenised between two looks at what else waits: some milliseconds.
constexpr size_t kTokeniseBytes = size_t{128} << 10;

// Interactive texts go first, but bulk texts get one part in nine of the time, in slices as short
// as the engine can make them: a step is a tile of a block on the CPU, of each crew that has a
// pack, and a pass elsewhere.
class Policy {
 public:
  enum class Turn { interactive, bulk };

  Turn next(bool interactive_waits, bool bulk_waits) const {
    if (!interactive_waits) return Turn::bulk;
    return bulk_waits && bulk_is_due() ? Turn::bulk : Turn::interactive;
  }

  // A step took so long. Time that one side had because the other did not want it is owed to
  // nobody.
  void ran(Turn turn, double ms, bool others_waited) {
    if (turn == Turn::bulk) {
      slice_ms_ = ms;
      owed_ms_ = std::max(0.0, owed_ms_ - ms);
    } else if (others_waited) {
      owed_ms_ += ms / kInteractiveParts;
    }
  }

 private:
  bool bulk_is_due() const { return owed_ms_ > 0 && owed_ms_ >= slice_ms_; }

  static constexpr double kInteractiveParts = 8;
  double owed_ms_ = 0;   // to bulk texts
  double slice_ms_ = 0;  // their latest step
};

}  // namespace qwen3_embed
