#include "core/road/captain.h"

#include <utility>

namespace qwen3_embed {

Captain::Captain(int crew, std::function<void()> on_stopped)
    : crew_(crew), on_stopped_(std::move(on_stopped)), thread_([this] { run(); }) {}

Captain::~Captain() {
  cancelled_ = true;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    leave_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Captain::start(Pass& pass) {
  cancelled_ = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    pass_ = &pass;
    stopped_ = false;
    error_ = nullptr;
  }
  changed_.notify_all();
}

bool Captain::has_stopped() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stopped_;
}

void Captain::take() {
  std::exception_ptr error;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    pass_ = nullptr;
    error = std::exchange(error_, nullptr);
  }
  if (error) std::rethrow_exception(error);
}

void Captain::cancel() {
  cancelled_ = true;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return !stepping_; });
    pass_ = nullptr;
    error_ = nullptr;
  }
}

void Captain::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return leave_ || may_step(); });
    if (leave_) return;
    step_once(lock);
  }
}

void Captain::step_once(std::unique_lock<std::mutex>& lock) {
  stepping_ = true;
  if (steps_left_ > 0) --steps_left_;
  Pass& pass = *pass_;
  bool more = false;
  std::exception_ptr error;
  lock.unlock();
  try {
    more = pass.step([this] { return cancelled_.load(std::memory_order_relaxed); });
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  error_ = std::move(error);
  stepping_ = false;
  stopped_ = !more;
  changed_.notify_all();
  if (more) return;
  // Not under the lock: whoever is told may ask at once.
  lock.unlock();
  on_stopped_();
  lock.lock();
}

Captains::Captains(int n_crews, const std::function<void()>& on_stopped) {
  for (int crew = 1; crew <= n_crews; ++crew)
    captains_.push_back(std::make_unique<Captain>(crew, on_stopped));
}

void Captains::hold() {
  give(0);
  wait();
}

void Captains::let_go() { give(-1); }

void Captains::step_each() {
  give(1);
  wait();
  give(0);
}

void Captains::give(int n_steps) {
  for (const auto& captain : captains_) {
    {
      const std::lock_guard<std::mutex> lock(captain->mutex_);
      captain->steps_left_ = n_steps;
    }
    captain->changed_.notify_all();
  }
}

void Captains::wait() {
  for (const auto& captain : captains_) {
    std::unique_lock<std::mutex> lock(captain->mutex_);
    captain->changed_.wait(lock, [&] { return !captain->stepping_ && !captain->may_step(); });
  }
}

}  // namespace qwen3_embed
