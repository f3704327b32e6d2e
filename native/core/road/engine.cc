#include "core/road/engine.h"

#include "core/machine/stopwatch.h"

namespace qwen3_embed {
namespace {

// One whose owner has lost interest ends here, whatever it was about to do.
void end_aborted(const Jobs& jobs) {
  for (const std::shared_ptr<Job>& job : jobs) {
    if (job->aborted() && !job->settled()) job->failure = Failure{Code::aborted, "Aborted.", {}};
  }
}

}  // namespace

bool Engine::step(const Jobs& jobs, const Abort& stop) {
  end_aborted(jobs);
  const bool interactive = interactive_->waits(jobs), bulk = bulk_->waits(jobs);
  if (!interactive && !bulk) return false;
  const Policy::Turn turn = policy_.next(interactive, bulk);
  Stopwatch watch;
  (turn == Policy::Turn::bulk ? bulk_ : interactive_)->step(jobs, stop);
  policy_.ran(turn, watch.lap_ms(), interactive && bulk);
  return true;
}

}  // namespace qwen3_embed
