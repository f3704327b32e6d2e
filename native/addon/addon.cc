// Module init: what JavaScript sees. The typed mirror of this file is lib/native.ts.
#include <napi.h>

#include "addon/database.h"
#include "addon/error.h"
#include "addon/facts.h"
#include "addon/generator.h"
#include "addon/job.h"
#include "addon/merger.h"
#include "addon/model.h"
#include "addon/root.h"
#include "addon/trainer.h"
#include "core/machine/parent.h"

namespace qwen3_embed {
namespace {

// Reads a header off the JS thread: a vocabulary is a few megabytes.
class Inspection final : public Napi::AsyncWorker {
 public:
  Inspection(Napi::Env env, std::string path)
      : Napi::AsyncWorker(env),
        path_(std::move(path)),
        promise_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

  void Execute() override {
    try {
      facts_ = read_facts(Gguf(path_), true);
    } catch (...) {
      failure_ = caught_failure();
    }
  }
  void OnOK() override {
    if (failure_) {
      promise_.Reject(make_error(Env(), *failure_).Value());
    } else {
      promise_.Resolve(facts_object(Env(), facts_));
    }
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  std::string path_;
  Facts facts_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred promise_;
};

// (path) -> Promise<facts>
Napi::Value JS_inspect(const Napi::CallbackInfo& info) {
  auto* inspection =
      new Inspection(info.Env(), info[0].As<Napi::String>().Utf8Value());  // owned by Node-API
  const Napi::Promise promise = inspection->promise();
  inspection->Queue();
  return promise;
}

// Of a child that computes for its parent.
Napi::Value JS_end_with_parent(const Napi::CallbackInfo& info) {
  end_with_parent();
  return info.Env().Undefined();
}

Napi::Value JS_codes(const Napi::CallbackInfo& info) {
  Napi::Array codes = Napi::Array::New(info.Env());
#define X(name, text) codes.Set(codes.Length(), text);
  QWEN3_FAILURE_CODES(X)
#undef X
  return codes;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Root(env));  // owned by the environment
  exports.Set("Model", Model::define(env));
  exports.Set("Database", DatabaseHandle::define(env));
  exports.Set("scan", Napi::Function::New(env, JS_scan, "scan"));
  exports.Set("Generator", GeneratorHandle::define(env));
  exports.Set("Job", JobHandle::define(env));
  exports.Set("Merger", MergerHandle::define(env));
  exports.Set("Trainer", TrainerHandle::define(env));
  exports.Set("inspect", Napi::Function::New(env, JS_inspect, "inspect"));
  exports.Set("endWithParent", Napi::Function::New(env, JS_end_with_parent, "endWithParent"));
  exports.Set("codes", Napi::Function::New(env, JS_codes, "codes"));
  return exports;
}

}  // namespace
}  // namespace qwen3_embed

static Napi::Object qwen3_embed_init(Napi::Env env, Napi::Object exports) {
  return qwen3_embed::init(env, exports);
}

NODE_API_MODULE(qwen3_embed, qwen3_embed_init)
