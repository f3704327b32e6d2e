#include "addon/root.h"

namespace qwen3_embed {

Root::Root(Napi::Env env) {
  const auto run =
      Napi::Function::New(env, [this](const Napi::CallbackInfo& info) { run_posted(info.Env()); });
  wake_ = Napi::ThreadSafeFunction::New(env, run, "qwen3-embed", 0, 1);
  wake_.Unref(env);
  // Cleanup hooks run newest first, so lanes stop before the function they post to is gone.
  env.AddCleanupHook([this] { shut_all(); });
}

// The tasks wait here and not inside Node, which forgets what it was given when an environment
// ends.
void Root::post(Tasks tasks) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.splice(posted_.end(), tasks);
  }
  static_cast<void>(wake_.NonBlockingCall());
}

void Root::run_posted(Napi::Env env) {
  Tasks tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(posted_);
  }
  for (; !tasks.empty(); tasks.pop_front()) {
    const Napi::HandleScope scope(env);
    try {
      tasks.front()(env);
    } catch (...) {
      // The others are owed their turn all the same; this one is told to whoever listens.
      tasks.pop_front();
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        posted_.splice(posted_.begin(), tasks);
      }
      static_cast<void>(wake_.NonBlockingCall());
      throw;
    }
  }
}

void Root::hold(Napi::Env env) {
  if (n_held_++ == 0) wake_.Ref(env);
}

void Root::release(Napi::Env env) {
  if (--n_held_ == 0) wake_.Unref(env);
}

void Root::shut_all() {
  const std::set<Closable*> closables = closables_;
  for (Closable* closable : closables) closable->shut();
  wake_.Abort();
  // References to JavaScript's objects end here, while their environment is still there.
  const std::lock_guard<std::mutex> lock(mutex_);
  posted_.clear();
}

}  // namespace qwen3_embed
