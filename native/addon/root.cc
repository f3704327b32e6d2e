#include "addon/root.h"

#include <memory>

namespace qwen3_embed {

Root::Root(Napi::Env env) {
  const auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  tasks_ = Napi::ThreadSafeFunction::New(env, nothing, "qwen3-embed", 0, 1);
  tasks_.Unref(env);
  // Cleanup hooks run newest first, so lanes stop before the function they post to is gone.
  env.AddCleanupHook([this] { shut_all(); });
}

void Root::post(std::function<void(Napi::Env)> task) {
  auto owned = std::make_unique<std::function<void(Napi::Env)>>(std::move(task));
  const napi_status status = tasks_.NonBlockingCall(
      owned.get(), [](Napi::Env env, Napi::Function, std::function<void(Napi::Env)>* data) {
        const std::unique_ptr<std::function<void(Napi::Env)>> run(data);
        if (static_cast<napi_env>(env) == nullptr) return;
        const Napi::HandleScope scope(env);
        (*run)(env);
      });
  if (status == napi_ok) static_cast<void>(owned.release());
}

void Root::hold(Napi::Env env) {
  if (n_held_++ == 0) tasks_.Ref(env);
}

void Root::release(Napi::Env env) {
  if (--n_held_ == 0) tasks_.Unref(env);
}

void Root::shut_all() {
  const std::set<Closable*> closables = closables_;
  for (Closable* closable : closables) closable->shut();
  tasks_.Abort();
}

}  // namespace qwen3_embed
