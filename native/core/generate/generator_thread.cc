#include "core/generate/generator_thread.h"

#include <optional>
#include <set>
#include <utility>

#include "core/failure.h"
#include "core/machine/memory.h"

namespace qwen3_embed {
namespace {

// Those that run. process.exit ends a process without its environments' cleanup, and llama.cpp's
// tables, some of them made when a model is first used, go away under a thread that reads them:
// this one, which is made after a model is loaded, goes before.
class Running {
 public:
  static Running& all() {
    static Running running;
    return running;
  }
  ~Running() {
    for (GeneratorThread* thread : threads_) thread->leave();
  }
  void add(GeneratorThread* thread) {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.insert(thread);
  }
  void remove(GeneratorThread* thread) {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.erase(thread);
  }

 private:
  std::mutex mutex_;
  std::set<GeneratorThread*> threads_;
};

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
    ++n_aborts_;
  }
  changed_.notify_all();
}

void GeneratorThread::shut() {
  close();
  thread_.join();
  Running::all().remove(this);
}

void GeneratorThread::leave() {
  leaves_ = true;
  close();
  thread_.join();
}

void GeneratorThread::answer(const Asked& asked, const ChatAnswer* answer,
                             const Failure* failure) const {
  if (!leaves_) asked.on_answer(answer, failure);
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
  if (!leaves_) on_closed_();
}

bool GeneratorThread::load() {
  try {
    const Abort abort = [this] { return n_aborts_.load(std::memory_order_relaxed) != 0; };
    generator_ = std::make_unique<Generator>(options_, abort);
    Running::all().add(this);
    growing_.resize(static_cast<size_t>(generator_->n_sequences()));
    if (!leaves_) on_loaded_(generator_.get(), nullptr);
    return true;
  } catch (...) {
    const Failure failure = caught_failure();
    generator_.reset();
    if (!leaves_) on_loaded_(nullptr, &failure);
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
      answer(asked, nullptr, &failure);
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
      answer(asked, nullptr, &failure);
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
      const ChatAnswer taken = generator_->take(i);
      answer(*asked, &taken, nullptr);
    } catch (...) {
      const Failure failure = caught_failure();
      answer(*asked, nullptr, &failure);
    }
  }
}

void GeneratorThread::fail_growing(const Failure& failure) {
  generator_->forget_all();
  for (std::unique_ptr<Asked>& asked : growing_) {
    if (asked) answer(*asked, nullptr, &failure);
    asked.reset();
  }
}

}  // namespace qwen3_embed
