// The two streams of texts on a model and whose turn it is: the policy's choice, but for the time
// in which a device computes.
#pragma once

#include <functional>

#include "core/machine/stopwatch.h"
#include "core/road/captain.h"
#include "core/road/policy.h"
#include "core/road/stream.h"

namespace qwen3_embed {

class Turns {
 public:
  // `on_change` is called from other threads while step() has said that it waits. Throws Failure
  // out_of_memory.
  Turns(const Vocabulary& vocabulary, Forward& forward, const std::function<void()>& on_change);

  // One short step for the stream whose turn it is. While a pass is under way on a device, a step
  // towards the next pack, interactive texts first; once there is none to take, it waits for that
  // pass. Nothing, if there is nothing to do; it waits, if all there is to do is under way on other
  // threads, and nothing comes of another call before on_change or a change of the jobs.
  enum class Step { done, nothing, waits };
  Step step(const Jobs& jobs, const Abort& stop);

 private:
  bool prepare_ahead(const Jobs& jobs, const Abort& stop);
  // False if it could only wait for captains.
  bool step_bulk(const Jobs& jobs, const Abort& stop, bool interactive_waits);

  Captains captains_;  // they have passes of the forward's
  Stream interactive_, bulk_;
  Policy policy_;
  Stopwatch watch_;  // of the latest turn, from its first step
};

}  // namespace qwen3_embed
