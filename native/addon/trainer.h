// A training as JavaScript holds it: one step of work at a time, on a thread of the pool.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "core/train/trainer.h"

namespace qwen3_embed {

class TrainerHandle final : public Napi::ObjectWrap<TrainerHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TrainerHandle(const Napi::CallbackInfo& info);

 private:
  struct Session {
    std::unique_ptr<train::Trainer> trainer;
    std::atomic<bool> aborted{false};
  };
  class Work;

  // (options, libraries) -> Promise<facts>
  Napi::Value JS_load(const Napi::CallbackInfo& info);
  // (ids, ends): all texts one after another, and where each ends
  Napi::Value JS_setTexts(const Napi::CallbackInfo& info);
  // (rows, given): (texts × width), and 1 for the texts whose row is there
  Napi::Value JS_setRows(const Napi::CallbackInfo& info);
  // (queries, documents, rate) -> Promise<{ loss, norm, rows }>; documents by three: text, example,
  // whether it is the positive
  Napi::Value JS_step(const Napi::CallbackInfo& info);
  // (prompts, labels, rate) -> Promise<{ loss, norm, rows }>
  Napi::Value JS_stepPairs(const Napi::CallbackInfo& info);
  // (path, [key, value][]) -> Promise<void>
  Napi::Value JS_writeAdapter(const Napi::CallbackInfo& info);
  // (path, words) -> Promise<void>
  Napi::Value JS_writeState(const Napi::CallbackInfo& info);
  // (path) -> Promise<words>, of a state of any training
  Napi::Value JS_stateWords(const Napi::CallbackInfo& info);
  // (path) -> Promise<words>
  Napi::Value JS_readState(const Napi::CallbackInfo& info);
  Napi::Value JS_abort(const Napi::CallbackInfo& info);
  // Frees the model once nothing runs.
  Napi::Value JS_close(const Napi::CallbackInfo& info);

  using Result = std::function<Napi::Value(Napi::Env)>;
  Napi::Value run(Napi::Env env, std::function<Result(Session&)> work);

  std::shared_ptr<Session> session_ = std::make_shared<Session>();
};

}  // namespace qwen3_embed
