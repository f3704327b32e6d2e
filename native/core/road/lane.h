// One thread and one queue for each loaded model. Everything that grows with a text happens here,
// or on threads that this one hands work to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include "core/machine/thread.h"
#include "core/road/engine.h"
#include "core/road/job.h"

namespace qwen3_embed {

struct LaneEvents {
  // All three are called on the lane's thread.
  std::function<void(double fraction)> on_load_progress;
  std::function<void(const Engine* engine, const Failure* failure)>
      on_loaded;                    // one of them is null
  std::function<void()> on_closed;  // after the last job and the model are gone
};

class Lane {
 public:
  // Starts the thread, which loads the model first. `n_queued_texts` bounds the texts that wait.
  // Throws Failure out_of_memory where the system refuses the thread.
  Lane(LoadOptions options, size_t n_queued_texts, LaneEvents events);
  ~Lane() { shut(); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Throws Failure: closed, queue_full. A single job of any size is taken when nothing else waits,
  // and one that only asks for tokens or text always.
  void submit(std::shared_ptr<Job> job);
  // Something changed that the thread should look at, such as an abort.
  void wake();
  // Jobs submitted so far finish first; later ones are refused. May be called twice.
  void close();
  // Ends loading and every job as aborted.
  void abort_all();
  // Aborts what is left and waits for the thread: for an item of its crew on a CPU, a slice of a
  // text, a pass elsewhere. May be called twice.
  void shut();

  size_t n_waiting_texts() const;
  ForwardTimes times() const;

 private:
  void run();
  bool load();
  void work();
  void take_arrived();
  void settle();

  const LoadOptions options_;
  const size_t n_queued_texts_;
  const LaneEvents events_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Jobs arrived_;          // guarded by mutex_
  size_t n_places_ = 0;   // guarded by mutex_: taken by arrived_ and jobs_
  ForwardTimes times_;    // guarded by mutex_
  bool woken_ = false;    // guarded by mutex_
  bool closing_ = false;  // guarded by mutex_
  std::atomic<bool> stop_{false};

  Jobs jobs_;                       // the thread's
  std::unique_ptr<Engine> engine_;  // the thread's
  Thread thread_;                   // last: it uses everything above
};

}  // namespace qwen3_embed
