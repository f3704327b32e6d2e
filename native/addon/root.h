// What lives as long as one Node environment (the main thread, or one worker): the way back to its
// JS thread, and the models to stop before it goes.
#pragma once

#include <napi.h>

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace qwen3_embed {

class Closable {
 public:
  virtual ~Closable() = default;
  // Stops all work and waits for it. Safe twice.
  virtual void shut() = 0;
};

// Names an object of JavaScript's in tasks that are on their way to its thread. The object may be
// gone when they arrive: copies are made on any thread, but only the JS thread looks inside.
template <typename T>
class Self {
 public:
  explicit Self(T* object) : object_(std::make_shared<T*>(object)) {}
  ~Self() = default;
  Self(const Self&) = default;
  Self& operator=(const Self&) = delete;
  void gone() { *object_ = nullptr; }  // in the object's destructor
  T* get() const { return *object_; }  // null once it is gone

 private:
  std::shared_ptr<T*> object_;
};

class Root {
 public:
  using Task = std::function<void(Napi::Env)>;
  // Tasks made beforehand: posting them needs no memory, and so cannot fail when there is none.
  using Tasks = std::list<Task>;

  explicit Root(Napi::Env env);
  static Root& of(Napi::Env env) { return *env.GetInstanceData<Root>(); }

  // Runs tasks on the JS thread, soon and in order. From any thread; what still waits when the
  // environment goes away is dropped with it.
  void post(Tasks tasks) noexcept;
  // For news that may be lost when memory is short, such as progress.
  template <typename Run>
  void post_if_possible(const Run& run) noexcept {
    try {
      post(Tasks(1, run));
    } catch (...) {
    }
  }

  // The event loop stays alive while something is held, so that an idle model never keeps a process
  // running.
  void hold(Napi::Env env);
  void release(Napi::Env env);

  void add(Closable* closable) { closables_.insert(closable); }
  void remove(Closable* closable) { closables_.erase(closable); }

 private:
  void run_posted(Napi::Env env);
  void shut_all();

  Napi::ThreadSafeFunction wake_;  // calls run_posted on the JS thread
  std::mutex mutex_;
  Tasks posted_;  // guarded by mutex_
  size_t n_held_ = 0;
  std::set<Closable*> closables_;
};

}  // namespace qwen3_embed
