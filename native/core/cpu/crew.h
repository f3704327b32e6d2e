// The threads of one engine. They sleep when there is nothing to do, and share the machine fairly:
// work is handed out item by item, so a thread the system has set aside delays nobody but the item
// it holds, and nobody spins for long.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include "core/cpu/crew_log.h"
#include "core/machine/thread.h"
#include "core/road/forward.h"

namespace qwen3_embed {

class Crew {
 public:
  // `n_threads` counts the caller of each(). Throws Failure out_of_memory if the system refuses a
  // thread.
  explicit Crew(int n_threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  int n_threads() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls work(item, worker) once for each item in [0, n_items); workers are numbered [0,
  // n_threads()) and no two calls with the same number overlap. Returns when all are done. `abort`
  // is asked before each item of the caller's; once it says true no further item starts, and each()
  // throws Failure aborted. What work throws, each() throws.
  template <typename Work>
  void each(int64_t n_items, const Abort& abort, const Work& work) {
    run(
        n_items, abort,
        [](const void* self, int64_t item, int worker) {
          (*static_cast<const Work*>(self))(item, worker);
        },
        &work);
  }

  // Every round is written down there from now on; null: none is. Between two rounds.
  void write_to(CrewLog* log);
  // For the log: what the next round is, and the weights that it reads.
  void tell(const char* what, int64_t weight_bytes = 0) {
    if (log_ == nullptr) return;
    log_->what = what;
    log_->weight_bytes = weight_bytes;
  }

 private:
  using Call = void (*)(const void* work, int64_t item, int worker);
  struct Logged;

  void run(int64_t n_items, const Abort& abort, Call call, const void* work);
  void run_logged(int64_t n_items, const Abort& abort, Call call, const void* work);
  void play(int64_t n_items, const Abort& abort, Call call, const void* work);
  bool take_one(int worker, int64_t& n_done);
  void report(int64_t n_done);
  void dismiss();
  void serve(int worker);
  void announce(uint64_t board);
  uint64_t wait_for_change(uint64_t seen);
  void wait_until_done(int64_t n_items);
  void keep(std::exception_ptr error);

  // What is on offer, in one word so that taking an item and learning which round it belongs to are
  // one step: round (24 bits), items in all (20), next item (20). Taking past the end is harmless.
  static constexpr int kItemBits = 20;
  static constexpr uint64_t kItemMask = (uint64_t{1} << kItemBits) - 1;
  static uint64_t n_items_of(uint64_t board) { return (board >> kItemBits) & kItemMask; }

  // A round cannot end while somebody holds one of its items, so these stay as they are for whoever
  // holds one.
  Call call_ = nullptr;
  const void* work_ = nullptr;
  std::exception_ptr error_;

  alignas(64) std::atomic<uint64_t> board_{0};
  alignas(64) std::atomic<int64_t> n_done_{0};
  std::atomic<bool> skip_{false};
  std::atomic<bool> leave_{false};
  std::atomic<int> n_asleep_{0};
  std::atomic<bool> caller_asleep_{false};

  CrewLog* log_ = nullptr;

  std::mutex mutex_;
  std::condition_variable work_is_there_, work_is_done_;
  std::vector<Thread> threads_;
};

}  // namespace qwen3_embed
