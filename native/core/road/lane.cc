#include "core/road/lane.h"

#include <iterator>
#include <optional>

#include "core/machine/memory.h"

namespace qwen3_embed {
Lane::Lane(LoadOptions options, size_t n_queued_texts, LaneEvents events)
    : options_(std::move(options)),
      n_queued_texts_(n_queued_texts),
      events_(std::move(events)),
      thread_([this] { run(); }) {}

void Lane::shut() {
  close();
  abort_all();
  thread_.join();
}

void Lane::submit(std::shared_ptr<Job> job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_ || stop_)
      throw Failure{Code::closed, "The model is closed.", {}, "Load it again."};
    if (n_places_ > 0 && job->n_places() > 0 && n_places_ + job->n_places() > n_queued_texts_) {
      throw Failure{Code::queue_full,
                    std::to_string(n_places_) + " texts are waiting and the queue holds " +
                        std::to_string(n_queued_texts_) + ".",
                    {{"waiting", static_cast<int64_t>(n_places_)},
                     {"limit", static_cast<int64_t>(n_queued_texts_)}},
                    "Wait for earlier calls, or load with a larger maxQueue."};
    }
    arrived_.push_back(job);
    n_places_ += job->n_places();
  }
  changed_.notify_one();
}

void Lane::wake() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Lane::close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
}

void Lane::abort_all() {
  stop_ = true;
  wake();
}

size_t Lane::n_waiting_texts() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return n_places_;
}

ForwardTimes Lane::times() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return times_;
}

void Lane::run() {
  if (load()) work();
  engine_.reset();
  return_free_memory();
  events_.on_closed();
}

bool Lane::load() {
  std::optional<Failure> failure;
  try {
    engine_ = Engine::load(
        options_, [this] { return stop_.load(); }, events_.on_load_progress, [this] { wake(); });
  } catch (...) {
    failure = caught_failure();
  }
  if (failure) {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  events_.on_loaded(engine_.get(), failure ? &*failure : nullptr);
  return !failure;
}

void Lane::work() {
  bool waits = false;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] {
        if (!arrived_.empty() || woken_) return true;
        return jobs_.empty() ? closing_ || stop_ : !waits;
      });
      woken_ = false;
      if (jobs_.empty() && arrived_.empty() && (closing_ || stop_)) return;
    }
    take_arrived();
    if (stop_) {
      for (const std::shared_ptr<Job>& job : jobs_) job->abort();
    }
    const Engine::Step step = engine_->step(jobs_, [this] { return stop_.load(); });
    waits = step == Engine::Step::waits;
    // Never so; but a call that nobody steps must not wait for ever, nor the thread spin.
    if (step == Engine::Step::nothing) {
      for (const std::shared_ptr<Job>& job : jobs_) {
        if (!job->settled()) job->failure = Failure{Code::compute, "A defect.", {}};
      }
    }
    settle();
  }
}

void Lane::take_arrived() {
  const std::lock_guard<std::mutex> lock(mutex_);
  jobs_.splice(jobs_.end(), arrived_);
}

void Lane::settle() {
  Jobs settled;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const auto next = std::next(job);
    if ((*job)->settled()) settled.splice(settled.end(), jobs_, job);
    job = next;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const std::shared_ptr<Job>& job : settled) n_places_ -= job->n_places();
    times_ = engine_->times();
  }
  for (const std::shared_ptr<Job>& job : settled) job->on_settled(*job);
}

}  // namespace qwen3_embed
