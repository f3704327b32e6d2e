// A loaded model as JavaScript holds it: a lane, and nothing else.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "addon/root.h"
#include "core/road/lane.h"

namespace qwen3_embed {

class Model final : public Napi::ObjectWrap<Model>, public Closable {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Model(const Napi::CallbackInfo& info);
  ~Model() override;

  // The Model behind `value`; throws a JS error if it is anything else.
  static Model& of(const Napi::Value& value);

  const std::shared_ptr<Lane>& lane() const { return lane_; }
  void shut() override;

 private:
  // (options, libraries, onProgress | undefined) -> Promise<facts>
  Napi::Value JS_load(const Napi::CallbackInfo& info);
  // Stops a load in progress and every job.
  Napi::Value JS_abort(const Napi::CallbackInfo& info);
  // -> Promise<void>, after earlier jobs
  Napi::Value JS_close(const Napi::CallbackInfo& info);
  // -> { packs, tokens, tokensRun, productsMs, attentionMs, restMs, waiting }
  Napi::Value JS_stats(const Napi::CallbackInfo& info);

  LaneEvents events();
  void load_progressed(Napi::Env env, double fraction);
  void loaded(Napi::Env env, const Napi::Value& facts, const std::optional<Failure>& failure);
  void closed(Napi::Env env);

  Root& root_;
  Self<Model> self_{this};
  std::shared_ptr<Lane> lane_;
  std::optional<Napi::Promise::Deferred> loading_;
  std::optional<Napi::Promise::Deferred> closing_;
  Napi::FunctionReference on_progress_;
  std::optional<Napi::Error> thrown_;  // by on_progress
  bool is_closed_ = false;
};

}  // namespace qwen3_embed
