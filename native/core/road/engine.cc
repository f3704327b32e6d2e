#include "core/road/engine.h"

namespace qwen3_embed {
namespace {

// One whose owner has lost interest ends here, whatever it was about to do.
void end_aborted(const Jobs& jobs) {
  for (const std::shared_ptr<Job>& job : jobs) {
    if (job->aborted() && !job->settled()) job->failure = Failure{Code::aborted, "Aborted.", {}};
  }
}

}  // namespace

Engine::Step Engine::step(const Jobs& jobs, const Abort& stop) {
  end_aborted(jobs);
  return turns_->step(jobs, stop);
}

}  // namespace qwen3_embed
