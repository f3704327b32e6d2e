// A merge as JavaScript holds it: started once, asked how far it is, aborted.
#pragma once

#include <napi.h>

#include <memory>

#include "core/merge/merge.h"

namespace qwen3_embed {

class MergerHandle final : public Napi::ObjectWrap<MergerHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit MergerHandle(const Napi::CallbackInfo& info);

 private:
  // (options, libraries) -> Promise<report>
  Napi::Value JS_run(const Napi::CallbackInfo& info);
  // -> 0..1
  Napi::Value JS_done(const Napi::CallbackInfo& info);
  Napi::Value JS_abort(const Napi::CallbackInfo& info);

  std::shared_ptr<MergeState> state_ = std::make_shared<MergeState>();
};

}  // namespace qwen3_embed
