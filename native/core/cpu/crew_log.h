// The rounds of a crew and what their items took, for the model of many cores (bench/crews).
#pragma once

#include <cstdint>
#include <vector>

namespace qwen3_embed {

struct CrewLog {
  struct Round {
    const char* what;             // as Crew::tell() said
    int64_t weight_bytes;         // that its items read together
    double alone_us;              // of the caller, since the round before
    std::vector<double> item_us;  // (n_items)
  };

  // Time of the thread that asks.
  double (*now_us)() = nullptr;
  // The caller runs every item itself, one after the other, shared out as for all threads. Else
  // these take part as ever.
  bool caller_only = false;
  std::vector<Round> rounds;

  // ---- the crew's ----
  const char* what = "";
  int64_t weight_bytes = 0;
  double left_us = 0;  // when the caller left the round before
};

}  // namespace qwen3_embed
