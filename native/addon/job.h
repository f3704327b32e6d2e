// One call in flight: texts copied in, results written into typed arrays that JavaScript made,
// settled once.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "addon/model.h"
#include "core/road/job.h"

namespace qwen3_embed {

class JobHandle final : public Napi::ObjectWrap<JobHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  // new Job(model, options)
  explicit JobHandle(const Napi::CallbackInfo& info);
  ~JobHandle() override { self_.gone(); }

 private:
  // (head, bodies): the next items, each a string or an Int32Array of token ids
  Napi::Value JS_add(const Napi::CallbackInfo& info);
  // (vectors | null, scores | null, tokens, cut, onProgress | undefined)
  //   -> Promise<{ failures: Error[], tokenRows: Float32Array[], ids: Int32Array[], texts: string[]
  //   }>
  Napi::Value JS_run(const Napi::CallbackInfo& info);
  Napi::Value JS_abort(const Napi::CallbackInfo& info);

  void progressed(Napi::Env env, size_t n_done);
  void settled(Napi::Env env);

  Root& root_;
  Self<JobHandle> self_{this};
  std::shared_ptr<Lane> lane_;
  std::shared_ptr<Job> job_;
  std::optional<Napi::Promise::Deferred> promise_;
  Napi::ObjectReference model_;   // a job keeps its model
  Napi::ObjectReference pinned_;  // the typed arrays the lane writes into
  Napi::FunctionReference on_progress_;
  std::optional<Napi::Error> thrown_;  // by on_progress
};

}  // namespace qwen3_embed
