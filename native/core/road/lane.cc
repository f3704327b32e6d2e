#include "core/road/lane.h"

#include <algorithm>
#include <exception>
#include <new>

namespace qwen3_embed {
namespace {

// llama.cpp and the standard library throw; past this point everything is a Failure.
std::optional<Failure> attempt(const std::function<void()>& action) {
  try {
    action();
    return std::nullopt;
  } catch (Failure& failure) {
    return std::move(failure);
  } catch (const std::bad_alloc&) {
    return Failure{Code::out_of_memory,
                   "The process ran out of memory. Lower budget, or send fewer texts.",
                   {}};
  } catch (const std::exception& error) {
    return Failure{Code::compute, std::string("Unexpected native error: ") + error.what(), {}};
  }
}

}  // namespace

Lane::Lane(LoadOptions options, size_t n_queued_texts, LaneEvents events)
    : options_(std::move(options)),
      n_queued_texts_(n_queued_texts),
      events_(std::move(events)),
      thread_([this] { run(); }) {}

void Lane::shut() {
  close();
  abort_all();
  if (thread_.joinable()) thread_.join();
}

void Lane::submit(std::shared_ptr<Job> job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_ || stop_) throw Failure{Code::closed, "The model is closed. Load it again.", {}};
    if (n_places_ > 0 && job->n_places() > 0 && n_places_ + job->n_places() > n_queued_texts_) {
      throw Failure{Code::queue_full,
                    std::to_string(n_places_) + " texts are waiting and the queue holds " +
                        std::to_string(n_queued_texts_) +
                        ". Wait for earlier calls, or load with a larger maxQueue.",
                    {{"waiting", static_cast<int64_t>(n_places_)},
                     {"limit", static_cast<int64_t>(n_queued_texts_)}}};
    }
    n_places_ += job->n_places();
    arrived_.push_back(std::move(job));
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
  events_.on_closed();
}

bool Lane::load() {
  const std::optional<Failure> failure = attempt([&] {
    engine_ = Engine::load(
        options_, [this] { return stop_.load(); }, events_.on_load_progress);
  });
  if (failure) {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  events_.on_loaded(engine_.get(), failure ? &*failure : nullptr);
  return !failure;
}

void Lane::work() {
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(
          lock, [&] { return !jobs_.empty() || !arrived_.empty() || closing_ || stop_ || woken_; });
      woken_ = false;
      if (jobs_.empty() && arrived_.empty() && (closing_ || stop_)) return;
    }
    take_arrived();
    if (stop_) {
      for (const std::shared_ptr<Job>& job : jobs_) job->abort();
    }
    turn(jobs_, [this] { let_interactive_pass(); });
    settle([](const Job&) { return true; });
  }
}

void Lane::take_arrived() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::move(arrived_.begin(), arrived_.end(), std::back_inserter(jobs_));
  arrived_.clear();
}

void Lane::turn(const std::vector<std::shared_ptr<Job>>& jobs, const Pause& pause) {
  const std::optional<Failure> failure = attempt([&] {
    engine_->turn(
        jobs, [this] { return stop_.load(); }, pause);
  });
  if (!failure) return;
  for (const std::shared_ptr<Job>& job : jobs) {
    if (!job->settled()) job->failure = failure;
  }
}

// Bulk jobs whose pack stands aside meanwhile stay as they are.
void Lane::let_interactive_pass() {
  take_arrived();
  std::vector<std::shared_ptr<Job>> interactive;
  std::copy_if(jobs_.begin(), jobs_.end(), std::back_inserter(interactive),
               [](const std::shared_ptr<Job>& job) { return job->options.interactive; });
  if (interactive.empty()) return;
  turn(interactive, {});
  settle([](const Job& job) { return job.options.interactive; });
}

void Lane::settle(const std::function<bool(const Job&)>& which) {
  const auto first_settled = std::stable_partition(
      jobs_.begin(), jobs_.end(),
      [&](const std::shared_ptr<Job>& job) { return !job->settled() || !which(*job); });
  const std::vector<std::shared_ptr<Job>> settled(first_settled, jobs_.end());
  jobs_.erase(first_settled, jobs_.end());
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const std::shared_ptr<Job>& job : settled) n_places_ -= job->n_places();
    times_ = engine_->times();
  }
  for (const std::shared_ptr<Job>& job : settled) job->on_settled(*job);
}

}  // namespace qwen3_embed
