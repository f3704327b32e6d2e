// The two streams of texts on a model and whose turn it is: the policy's choice, but for the time
// in which a device computes.
#pragma once

#include "core/machine/stopwatch.h"
#include "core/road/policy.h"
#include "core/road/stream.h"

namespace qwen3_embed {

class Turns {
 public:
  Turns(const Vocabulary& vocabulary, Forward& forward);

  // One short step for the stream whose turn it is. While a pass is under way on a device, a step
  // towards the next pack, interactive texts first; once there is none to take, it waits for that
  // pass. False if there was nothing to do.
  bool step(const Jobs& jobs, const Abort& stop);

 private:
  bool prepare_ahead(const Jobs& jobs, const Abort& stop);

  Stream interactive_, bulk_;
  Policy policy_;
  Stopwatch watch_;  // of the latest turn, from its first step
};

}  // namespace qwen3_embed
