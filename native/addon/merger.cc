#include "addon/merger.h"

#include <optional>

#include "addon/error.h"
#include "core/machine/backends.h"

namespace qwen3_embed {
namespace {

std::string text(const Napi::Object& given, const char* key) {
  return given.Get(key).As<Napi::String>().Utf8Value();
}

std::vector<double> numbers(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<double> all;
  for (uint32_t i = 0; i < array.Length(); ++i)
    all.push_back(array.Get(i).As<Napi::Number>().DoubleValue());
  return all;
}

MergeMethod method_named(const std::string& name) {
  if (name == "linear") return MergeMethod::linear;
  if (name == "task") return MergeMethod::task;
  if (name == "ties") return MergeMethod::ties;
  if (name == "multi-slerp") return MergeMethod::multi_slerp;
  return MergeMethod::slerp;
}

MergeOptions read_options(const Napi::Object& given) {
  MergeOptions options;
  options.method = method_named(text(given, "method"));
  options.type = text(given, "to");
  options.output = text(given, "output");
  options.lambda = given.Get("lambda").As<Napi::Number>().DoubleValue();
  options.density = given.Get("density").As<Napi::Number>().DoubleValue();
  options.lossy = given.Get("lossy").As<Napi::Boolean>().Value();
  options.weights = numbers(given.Get("weights"));
  const auto models = given.Get("models").As<Napi::Array>();
  for (uint32_t i = 0; i < models.Length(); ++i)
    options.models.push_back(models.Get(i).As<Napi::String>().Utf8Value());
  const auto points = given.Get("points").As<Napi::Array>();
  for (uint32_t i = 0; i < points.Length(); ++i) {
    const auto point = points.Get(i).As<Napi::Object>();
    options.points.push_back({text(point, "filter"), numbers(point.Get("values"))});
  }
  const auto adapters = given.Get("adapters").As<Napi::Array>();
  for (uint32_t i = 0; i < adapters.Length(); ++i) {
    const auto adapter = adapters.Get(i).As<Napi::Object>();
    options.adapters.push_back({text(adapter, "path"),
                                adapter.Get("scale").As<Napi::Number>().DoubleValue(), "both",
                                adapter.Get("anyBase").As<Napi::Boolean>().Value()});
  }
  return options;
}

class Work final : public Napi::AsyncWorker {
 public:
  Work(Napi::Env env, MergeOptions options, std::string libraries,
       std::shared_ptr<MergeState> state)
      : Napi::AsyncWorker(env),
        options_(std::move(options)),
        libraries_(std::move(libraries)),
        state_(std::move(state)),
        promise_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

  void Execute() override {
    try {
      load_backends(libraries_);
      report_ = merge_models(options_, *state_);
    } catch (...) {
      failure_ = caught_failure();
    }
  }
  void OnOK() override {
    if (failure_) return promise_.Reject(make_error(Env(), *failure_).Value());
    Napi::Object report = Napi::Object::New(Env());
    report.Set("tensors", static_cast<double>(report_.n_tensors));
    report.Set("straight", static_cast<double>(report_.n_straight));
    report.Set("changed", static_cast<double>(report_.n_changed));
    report.Set("leastKept", report_.least_kept);
    report.Set("meanKept", report_.mean_kept);
    report.Set("leastTensor", report_.least_tensor);
    promise_.Resolve(report);
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  MergeOptions options_;
  std::string libraries_;
  std::shared_ptr<MergeState> state_;
  MergeReport report_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred promise_;
};

}  // namespace

Napi::Function MergerHandle::define(Napi::Env env) {
  return DefineClass(
      env, "Merger",
      {InstanceMethod<&MergerHandle::JS_run>("run"), InstanceMethod<&MergerHandle::JS_done>("done"),
       InstanceMethod<&MergerHandle::JS_abort>("abort")});
}

MergerHandle::MergerHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MergerHandle>(info) {}

Napi::Value MergerHandle::JS_run(const Napi::CallbackInfo& info) {
  auto* work = new Work(info.Env(), read_options(info[0].As<Napi::Object>()),
                        info[1].As<Napi::String>().Utf8Value(), state_);  // owned by Node-API
  const Napi::Promise promise = work->promise();
  work->Queue();
  return promise;
}

Napi::Value MergerHandle::JS_done(const Napi::CallbackInfo& info) {
  const auto total = static_cast<double>(state_->n_total.load());
  return Napi::Number::New(info.Env(),
                           total > 0 ? static_cast<double>(state_->n_done.load()) / total : 0);
}

Napi::Value MergerHandle::JS_abort(const Napi::CallbackInfo& info) {
  state_->aborted = true;
  return info.Env().Undefined();
}

}  // namespace qwen3_embed
