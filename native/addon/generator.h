// A chat model as JavaScript holds it: a thread that answers, and the calls that wait for it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "addon/root.h"
#include "core/generate/generator_thread.h"

namespace qwen3_embed {

class GeneratorHandle final : public Napi::ObjectWrap<GeneratorHandle>, public Closable {
 public:
  static Napi::Function define(Napi::Env env);
  explicit GeneratorHandle(const Napi::CallbackInfo& info);
  ~GeneratorHandle() override;

  void shut() override;

 private:
  // (options, libraries) -> Promise<facts>
  Napi::Value JS_load(const Napi::CallbackInfo& info);
  // (system, user, grammar, mostTokens, seed) -> Promise<{ text, complete, promptTokens, tokens,
  // digest
  // }>
  Napi::Value JS_ask(const Napi::CallbackInfo& info);
  // Ends the load and all that was asked so far.
  Napi::Value JS_abort(const Napi::CallbackInfo& info);
  // -> Promise<void>, when the model is gone
  Napi::Value JS_close(const Napi::CallbackInfo& info);

  // A call that settles once, when the thread says so: until then the object and the event loop
  // stay.
  uint32_t open_call(Napi::Env env);
  Napi::Promise::Deferred close_call(Napi::Env env, uint32_t call);
  Napi::Promise promise(uint32_t call) const { return calls_.at(call).Promise(); }
  void settle(Napi::Env env, uint32_t call, const std::function<Napi::Value()>& value,
              const std::optional<Failure>& failure);

  Root& root_;
  Self<GeneratorHandle> self_{this};
  std::map<uint32_t, Napi::Promise::Deferred> calls_;
  uint32_t n_calls_ = 0;
  std::unique_ptr<GeneratorThread> thread_;
  std::optional<uint32_t> closing_;
  bool is_closed_ = false;
};

}  // namespace qwen3_embed
