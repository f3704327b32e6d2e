// What lives as long as one Node environment (the main thread, or one worker): the way back to its
// JS thread, and the models to stop before it goes.
#pragma once

#include <napi.h>

#include <functional>
#include <set>

namespace qwen3_embed {

class Closable {
 public:
  virtual ~Closable() = default;
  // Stops all work and waits for it. Safe twice.
  virtual void shut() = 0;
};

class Root {
 public:
  explicit Root(Napi::Env env);
  static Root& of(Napi::Env env) { return *env.GetInstanceData<Root>(); }

  // Runs `task` on the JS thread, soon. From any thread; dropped if the environment is going away.
  void post(std::function<void(Napi::Env)> task);

  // The event loop stays alive while something is held, so that an idle model never keeps a process
  // running.
  void hold(Napi::Env env);
  void release(Napi::Env env);

  void add(Closable* closable) { closables_.insert(closable); }
  void remove(Closable* closable) { closables_.erase(closable); }

 private:
  void shut_all();

  Napi::ThreadSafeFunction tasks_;
  size_t n_held_ = 0;
  std::set<Closable*> closables_;
};

}  // namespace qwen3_embed
