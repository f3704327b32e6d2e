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

// Interactive texts have the processors to themselves: captains wait meanwhile, from the end of the
// step they are in, and get their slices as bulk texts without captains do.
Engine::Step Engine::step(const Jobs& jobs, const Abort& stop) {
  end_aborted(jobs);
  const bool interactive = interactive_->waits(jobs), bulk = bulk_->waits(jobs);
  if (!interactive && !bulk) return Step::nothing;
  const Policy::Turn turn = policy_.next(interactive, bulk);
  Stopwatch watch;
  if (turn == Policy::Turn::interactive) {
    captains_->hold();
    interactive_->step(jobs, stop);
  } else if (interactive) {
    bulk_->step(jobs, stop);
    captains_->step_each();
  } else {
    captains_->let_go();
    if (!bulk_->step(jobs, stop) && bulk_->is_under_way()) return Step::waits;
  }
  policy_.ran(turn, watch.lap_ms(), interactive && bulk);
  return Step::done;
}

}  // namespace qwen3_embed
