#include "core/generate/generator_thread.h"

#include <optional>
#include <utility>

#include "core/failure.h"
#include "core/machine/memory.h"

namespace qwen3_embed {
namespace {

Failure aborted() { return {Code::aborted, "Generating was aborted.", {}}; }

}  // namespace

GeneratorThread::GeneratorThread(GeneratorOptions options, OnLoaded on_loaded,
                                 std::function<void()> on_closed)
    : options_(std::move(options)),
      on_loaded_(std::move(on_loaded)),
      on_closed_(std::move(on_closed)),
      thread_([this] { run(); }) {}

void GeneratorThread::ask(ChatQuestion question, OnAnswer on_answer) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw Failure{Code::closed, "The generator is closed.", {}, "Load it again."};
    arrived_.push_back({std::move(question), std::move(on_answer), n_aborts_.load()});
  }
  changed_.notify_all();
}

void GeneratorThread::abort() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++n_aborts_;
  }
  changed_.notify_all();
}

void GeneratorThread::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    stop_ = true;
    ++n_aborts_;
  }
  changed_.notify_all();
}

void GeneratorThread::shut() {
  close();
  thread_.join();
}

void GeneratorThread::run() {
  if (load()) work();
  {
    // After a failed load, until it is closed; what was asked meanwhile ends too.
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return closing_; });
    for (Asked& asked : arrived_) waiting_.push_back(std::move(asked));
    arrived_.clear();
    n_aborts_seen_ = n_aborts_.load();
  }
  end_aborted();
  generator_.reset();
  return_free_memory();
  on_closed_();
}

bool GeneratorThread::load() {
  try {
    const Abort abort = [this] { return n_aborts_.load(std::memory_order_relaxed) != 0; };
    generator_ = std::make_unique<Generator>(options_, abort);
    growing_.resize(static_cast<size_t>(generator_->n_sequences()));
    on_loaded_(generator_.get(), nullptr);
    return true;
  } catch (...) {
    const Failure failure = caught_failure();
    generator_.reset();
    on_loaded_(nullptr, &failure);
    return false;
  }
}

void GeneratorThread::work() {
  while (wait_for_work()) {
    end_aborted();
    const Abort abort = [this] {
      return n_aborts_.load(std::memory_order_relaxed) != n_aborts_seen_;
    };
    try {
      begin_waiting(abort);
      deliver_done();
      if (!generator_->is_idle()) generator_->step(abort);
      deliver_done();
    } catch (...) {
      fail_growing(caught_failure());
    }
  }
}

bool GeneratorThread::wait_for_work() {
  std::unique_lock<std::mutex> lock(mutex_);
  const bool is_busy = !waiting_.empty() || !generator_->is_idle();
  if (!is_busy) changed_.wait(lock, [this] { return closing_ || !arrived_.empty(); });
  while (!arrived_.empty()) {
    waiting_.push_back(std::move(arrived_.front()));
    arrived_.pop_front();
  }
  n_aborts_seen_ = n_aborts_.load();
  return !closing_;
}

void GeneratorThread::end_aborted() {
  const uint64_t now = n_aborts_seen_;
  const Failure failure = aborted();
  std::deque<Asked> left;
  for (Asked& asked : waiting_) {
    if (asked.born == now) {
      left.push_back(std::move(asked));
    } else {
      asked.on_answer(nullptr, &failure);
    }
  }
  waiting_ = std::move(left);
  // All that grow were asked for before what waits.
  for (const std::unique_ptr<Asked>& asked : growing_) {
    if (asked && asked->born != now) {
      fail_growing(failure);
      break;
    }
  }
}

void GeneratorThread::begin_waiting(const Abort& abort) {
  while (!waiting_.empty()) {
    const std::optional<size_t> place = generator_->free_place();
    if (!place) return;
    Asked& asked = waiting_.front();
    try {
      if (!generator_->begin(*place, asked.question, abort)) return;
      growing_[*place] = std::make_unique<Asked>(std::move(asked));
      waiting_.pop_front();
    } catch (...) {
      const Failure failure = caught_failure();
      asked.on_answer(nullptr, &failure);
      waiting_.pop_front();
      if (generator_->is_broken()) throw;
    }
  }
}

void GeneratorThread::deliver_done() {
  for (size_t i = 0; i < growing_.size(); ++i) {
    if (!growing_[i] || !generator_->is_done(i)) continue;
    const std::unique_ptr<Asked> asked = std::move(growing_[i]);
    try {
      const ChatAnswer answer = generator_->take(i);
      asked->on_answer(&answer, nullptr);
    } catch (...) {
      const Failure failure = caught_failure();
      asked->on_answer(nullptr, &failure);
    }
  }
}

void GeneratorThread::fail_growing(const Failure& failure) {
  generator_->forget_all();
  for (std::unique_ptr<Asked>& asked : growing_) {
    if (asked) asked->on_answer(nullptr, &failure);
    asked.reset();
  }
}

}  // namespace qwen3_embed
