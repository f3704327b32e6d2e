// One thread and one queue for a loaded generator: questions are begun in the order they came.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/generate/generator.h"
#include "core/machine/thread.h"

namespace qwen3_embed {

class GeneratorThread {
 public:
  // All are called on the thread; of two pointers one is null.
  using OnLoaded = std::function<void(const Generator*, const Failure*)>;
  using OnAnswer = std::function<void(const ChatAnswer*, const Failure*)>;

  // Starts it; it loads the model first. Throws Failure out_of_memory where the system refuses it.
  GeneratorThread(GeneratorOptions options, OnLoaded on_loaded, std::function<void()> on_closed);
  ~GeneratorThread() { shut(); }
  GeneratorThread(const GeneratorThread&) = delete;
  GeneratorThread& operator=(const GeneratorThread&) = delete;

  // Throws Failure closed.
  void ask(ChatQuestion question, OnAnswer on_answer);
  // Ends the load and every question asked so far, as aborted.
  void abort();
  // Ends all of them, frees the model and calls on_closed. May be called twice.
  void close();
  // The same, and waits for it: for one operation of a pass. May be called twice.
  void shut();
  // The same when the process exits, where nobody is there any more to be told anything.
  void leave();

 private:
  struct Asked {
    ChatQuestion question;
    OnAnswer on_answer;
    uint64_t born;  // aborts before it
  };

  void run();
  bool load();
  void answer(const Asked& asked, const ChatAnswer* answer, const Failure* failure) const;
  void work();
  // False: closing.
  bool wait_for_work();
  void end_aborted();
  void begin_waiting(const Abort& abort);
  void deliver_done();
  void fail_growing(const Failure& failure);

  const GeneratorOptions options_;
  const OnLoaded on_loaded_;
  const std::function<void()> on_closed_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Asked> arrived_;  // guarded by mutex_
  bool closing_ = false;       // guarded by mutex_
  std::atomic<uint64_t> n_aborts_{0};
  std::atomic<bool> leaves_{false};

  // The thread's.
  uint64_t n_aborts_seen_ = 0;  // when it last looked: no question it has is younger
  std::unique_ptr<Generator> generator_;
  std::deque<Asked> waiting_;
  std::vector<std::unique_ptr<Asked>> growing_;  // by place
  Thread thread_;                                // last: it uses everything above
};

}  // namespace qwen3_embed
