// Steps a pass on a thread of its own, so that several are on their way side by side, each on a
// crew of its own. All but the thread's own work is the lane's: nobody else calls a captain.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/machine/thread.h"
#include "core/road/forward.h"

namespace qwen3_embed {

class Captain {
 public:
  // `crew`: what packs name. `on_stopped`: a pass has come to its end; called on the captain's
  // thread. Throws Failure out_of_memory if the system refuses the thread.
  Captain(int crew, std::function<void()> on_stopped);
  ~Captain();
  Captain(const Captain&) = delete;
  Captain& operator=(const Captain&) = delete;

  int crew() const { return crew_; }

  // Needs no memory. The pass is the captain's until it has stopped and is taken, or is cancelled.
  void start(Pass& pass);
  bool has_stopped() const;
  // Of a pass that has stopped. Throws what it threw.
  void take();
  // Ends it, within an item of its crew.
  void cancel();

 private:
  friend class Captains;

  void run();
  void step_once(std::unique_lock<std::mutex>& lock);
  bool may_step() const { return pass_ != nullptr && !stopped_ && steps_left_ != 0; }

  const int crew_;
  const std::function<void()> on_stopped_;
  std::atomic<bool> cancelled_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All guarded by mutex_.
  Pass* pass_ = nullptr;
  bool stopped_ = false;   // pass_ has no step left, or threw
  bool stepping_ = false;  // the thread is inside pass_
  bool leave_ = false;
  int steps_left_ = -1;  // until it waits again; -1: no end
  std::exception_ptr error_;

  Thread thread_;  // last: it uses everything above
};

// All of an engine's: they work together, or all of them wait.
class Captains {
 public:
  // One for each crew [1, n_crews] of the forward; none where that has no crews beside its own.
  Captains(int n_crews, const std::function<void()>& on_stopped);

  int n() const { return static_cast<int>(captains_.size()); }
  Captain& of(int crew) { return *captains_[static_cast<size_t>(crew - 1)]; }

  // Each stops after the step that it is in; returns when all have.
  void hold();
  void let_go();
  // One step of each that has a pass; returns when these are done, and all are held.
  void step_each();

 private:
  void give(int n_steps);
  void wait();

  std::vector<std::unique_ptr<Captain>> captains_;
};

}  // namespace qwen3_embed
