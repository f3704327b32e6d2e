#include "core/cpu/crew.h"

#include <algorithm>
#include <chrono>

#include "core/failure.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace qwen3_embed {
namespace {

// The gap between two steps of a pass is some microseconds, waking a thread some tens: waiting
// awake for about one wake-up is never far from the best choice, and wastes little of a busy
// machine.
constexpr std::chrono::microseconds kAwake{60};

void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  asm volatile("yield");
#endif
}

// True as soon as `ready` is, false when it was not for kAwake.
template <typename Ready>
bool watch(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kAwake;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

Crew::Crew(int n_threads) {
  try {
    for (int worker = 1; worker < n_threads; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  } catch (...) {
    dismiss();
    throw;
  }
}

Crew::~Crew() { dismiss(); }

void Crew::dismiss() {
  leave_ = true;
  announce(board_ + (uint64_t{1} << (2 * kItemBits)));
  threads_.clear();
}

void Crew::write_to(CrewLog* log) {
  log_ = log;
  if (log_ != nullptr) log_->left_us = log_->now_us();
}

// An item and what it took.
struct Crew::Logged {
  const CrewLog& log;
  std::vector<double>& item_us;
  Call call;
  const void* work;

  static void run(const void* self, int64_t item, int worker) {
    const Logged& logged = *static_cast<const Logged*>(self);
    const double start_us = logged.log.now_us();
    logged.call(logged.work, item, worker);
    logged.item_us[static_cast<size_t>(item)] = logged.log.now_us() - start_us;
  }
};

void Crew::run_logged(int64_t n_items, const Abort& abort, Call call, const void* work) {
  log_->rounds.push_back({log_->what, log_->weight_bytes, log_->now_us() - log_->left_us,
                          std::vector<double>(static_cast<size_t>(n_items))});
  tell("");
  const Logged logged{*log_, log_->rounds.back().item_us, call, work};
  play(n_items, abort, Logged::run, &logged);
  log_->left_us = log_->now_us();
}

void Crew::run(int64_t n_items, const Abort& abort, Call call, const void* work) {
  if (n_items <= 0) return;
  log_ == nullptr ? play(n_items, abort, call, work) : run_logged(n_items, abort, call, work);
}

void Crew::play(int64_t n_items, const Abort& abort, Call call, const void* work) {
  call_ = call;
  work_ = work;
  error_ = nullptr;
  skip_ = false;
  n_done_.store(0, std::memory_order_relaxed);
  const uint64_t round = (board_.load(std::memory_order_relaxed) >> (2 * kItemBits)) + 1;
  const uint64_t board = (round << (2 * kItemBits)) | (static_cast<uint64_t>(n_items) << kItemBits);
  const bool caller_only = log_ != nullptr && log_->caller_only;
  if (n_items > 1 && !threads_.empty() && !caller_only) {
    announce(board);
  } else {
    board_.store(board, std::memory_order_release);
  }
  bool aborted = false;
  int64_t n_done = 0;
  do {
    if (!aborted && abort && abort()) {
      aborted = true;
      skip_ = true;
    }
  } while (take_one(0, n_done));
  report(n_done);
  wait_until_done(n_items);
  if (error_) std::rethrow_exception(error_);
  if (aborted) throw Failure{Code::aborted, "The pass was aborted.", {}};
}

bool Crew::take_one(int worker, int64_t& n_done) {
  const uint64_t taken = board_.fetch_add(1, std::memory_order_acq_rel);
  const uint64_t item = taken & kItemMask;
  if (item >= n_items_of(taken)) return false;
  if (!skip_.load(std::memory_order_relaxed)) {
    try {
      call_(work_, static_cast<int64_t>(item), worker);
    } catch (...) {
      keep(std::current_exception());
    }
  }
  ++n_done;
  return true;
}

// Once for all of a thread's items: what many threads write costs them a turn each. Until then the
// round goes on, and is the one that they were taken from.
void Crew::report(int64_t n_done) {
  if (n_done == 0) return;
  const auto n_items = static_cast<int64_t>(n_items_of(board_.load(std::memory_order_relaxed)));
  if (n_done_.fetch_add(n_done) + n_done == n_items && caller_asleep_.load()) {
    std::lock_guard<std::mutex> lock(mutex_);
    work_is_done_.notify_one();
  }
}

void Crew::keep(std::exception_ptr error) {
  skip_ = true;
  std::lock_guard<std::mutex> lock(mutex_);
  if (!error_) error_ = std::move(error);
}

// Of a round with fewer items than threads, the last threads ask for none.
void Crew::serve(int worker) {
  uint64_t round = 0;
  while (!leave_) {
    const uint64_t board = wait_for_change(round);
    round = board >> (2 * kItemBits);
    if (static_cast<uint64_t>(worker) >= n_items_of(board)) continue;
    int64_t n_done = 0;
    while (take_one(worker, n_done)) {
    }
    report(n_done);
  }
}

void Crew::announce(uint64_t board) {
  board_.store(board);
  if (n_asleep_.load() == 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  work_is_there_.notify_all();
}

uint64_t Crew::wait_for_change(uint64_t seen) {
  const auto changed = [&] { return (board_.load() >> (2 * kItemBits)) != seen || leave_; };
  if (!watch(changed)) {
    std::unique_lock<std::mutex> lock(mutex_);
    ++n_asleep_;
    work_is_there_.wait(lock, changed);
    --n_asleep_;
  }
  return board_.load();
}

void Crew::wait_until_done(int64_t n_items) {
  const auto done = [&] { return n_done_.load() == n_items; };
  if (watch(done)) return;
  std::unique_lock<std::mutex> lock(mutex_);
  caller_asleep_ = true;
  work_is_done_.wait(lock, done);
  caller_asleep_ = false;
}

}  // namespace qwen3_embed
