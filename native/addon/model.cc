#include "addon/model.h"

#include "addon/error.h"
#include "addon/facts.h"
#include "core/machine/backends.h"

namespace qwen3_embed {

namespace {

constexpr napi_type_tag kTag = {0x6d1f3a9be0c84527, 0x9a54e7d1c26b8f03};

LoadOptions read_options(const Napi::Object& given) {
  const auto text = [&](const char* key) { return given.Get(key).As<Napi::String>().Utf8Value(); };
  const auto number = [&](const char* key) {
    return static_cast<int>(given.Get(key).As<Napi::Number>().Int64Value());
  };
  LoadOptions options;
  options.path = text("path");
  options.kind = text("kind") == "rank" ? Kind::rank : Kind::embed;
  options.engine = text("engine");
  options.kernels = text("kernels");
  options.gpu = text("gpu");
  options.gpu_library = text("gpuLibrary");
  const std::string weights = text("gpuWeights");
  options.gpu_weights = weights == "bf16"  ? DeviceWeights::bf16
                        : weights == "f16" ? DeviceWeights::f16
                                           : DeviceWeights::file;
  options.lock_memory = given.Get("lockMemory").As<Napi::Boolean>().Value();
  options.n_threads = number("threads");
  options.max_tokens = number("maxTokens");
  options.budget = number("budget");
  options.prefix_bytes = static_cast<size_t>(number("prefixCache"));
  const auto adapters = given.Get("adapters").As<Napi::Array>();
  for (uint32_t i = 0; i < adapters.Length(); ++i) {
    const auto adapter = adapters.Get(i).As<Napi::Object>();
    options.adapters.push_back({adapter.Get("path").As<Napi::String>().Utf8Value(),
                                adapter.Get("scale").As<Napi::Number>().DoubleValue(),
                                adapter.Get("side").As<Napi::String>().Utf8Value(),
                                adapter.Get("anyBase").As<Napi::Boolean>().Value()});
  }
  return options;
}

}  // namespace

Napi::Function Model::define(Napi::Env env) {
  return DefineClass(
      env, "Model",
      {InstanceMethod<&Model::JS_load>("load"), InstanceMethod<&Model::JS_abort>("abort"),
       InstanceMethod<&Model::JS_close>("close"), InstanceMethod<&Model::JS_stats>("stats")});
}

Model::Model(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Model>(info), root_(Root::of(info.Env())) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
  root_.add(this);
}

Model::~Model() {
  root_.remove(this);
  shut();
  self_.gone();
}

Model& Model::of(const Napi::Value& value) {
  if (value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag))
    return *Unwrap(value.As<Napi::Object>());
  throw Napi::TypeError::New(value.Env(), "Expected a Model");
}

void Model::shut() {
  if (lane_) lane_->shut();
}

Napi::Value Model::JS_load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  loading_.emplace(Napi::Promise::Deferred::New(env));
  const Napi::Promise promise = loading_->Promise();
  try {
    const auto given = info[0].As<Napi::Object>();
    LoadOptions options = read_options(given);
    const auto n_queued_texts =
        static_cast<size_t>(given.Get("maxQueue").As<Napi::Number>().Int64Value());
    load_backends(info[1].As<Napi::String>().Utf8Value());
    if (info[2].IsFunction()) on_progress_ = Napi::Persistent(info[2].As<Napi::Function>());
    lane_ = std::make_shared<Lane>(std::move(options), n_queued_texts, events());
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    on_progress_.Reset();
    loading_->Reject(make_error(env, caught_failure()).Value());
    return promise;
  }
  root_.hold(env);
  Ref();
  return promise;
}

LaneEvents Model::events() {
  LaneEvents events;
  // Whole percents only: a progress call crosses to the JS thread.
  if (!on_progress_.IsEmpty()) {
    events.on_load_progress = [root = &root_, self = self_, last = -1](double fraction) mutable {
      const int percent = static_cast<int>(fraction * 100);
      if (percent == last) return;
      last = percent;
      root->post_if_possible([self, fraction](Napi::Env env) {
        if (Model* model = self.get()) model->load_progressed(env, fraction);
      });
    };
  } else {
    events.on_load_progress = [](double) {};
  }
  // The news of an end goes into a task that is there already.
  struct Loaded {
    std::optional<Failure> failure;
    Facts facts;
    std::optional<Forward::Limits> limits;
    std::string engine;
    Threads threads{1, ""};
  };
  const auto news = std::make_shared<Loaded>();
  const auto on_loaded = std::make_shared<Root::Tasks>();
  on_loaded->push_back([self = self_, news](Napi::Env env) {
    Model* model = self.get();
    if (model == nullptr) return;
    Napi::Value facts = env.Undefined();
    if (!news->failure) {
      Napi::Object object = facts_object(env, news->facts);
      add_adapter_facts(object, news->facts);
      add_engine_facts(object, *news->limits, news->engine, news->threads);
      facts = object;
    }
    model->loaded(env, facts, news->failure);
  });
  events.on_loaded = [root = &root_, news, on_loaded](const Engine* engine,
                                                      const Failure* failure) {
    try {
      if (failure != nullptr) {
        news->failure = *failure;
      } else {
        news->facts = engine->facts();
        news->limits = engine->limits();
        news->engine = engine->engine_name();
        news->threads = engine->threads();
      }
    } catch (...) {
      news->failure.emplace(Failure{Code::out_of_memory, {}, {}});
    }
    root->post(std::move(*on_loaded));
  };
  const auto on_closed = std::make_shared<Root::Tasks>();
  on_closed->push_back([self = self_](Napi::Env env) {
    if (Model* model = self.get()) model->closed(env);
  });
  events.on_closed = [root = &root_, on_closed] { root->post(std::move(*on_closed)); };
  return events;
}

// What a callback throws ends the load, and is what its promise rejects with.
void Model::load_progressed(Napi::Env env, double fraction) {
  if (on_progress_.IsEmpty()) return;
  try {
    on_progress_.Call({Napi::Number::New(env, fraction)});
  } catch (const Napi::Error& error) {
    thrown_ = error;
    on_progress_.Reset();
    if (lane_) lane_->abort_all();
  }
}

void Model::loaded(Napi::Env env, const Napi::Value& facts, const std::optional<Failure>& failure) {
  on_progress_.Reset();
  if (thrown_) {
    loading_->Reject(thrown_->Value());
  } else if (failure) {
    loading_->Reject(make_error(env, *failure).Value());
  } else {
    loading_->Resolve(facts);
  }
  root_.release(env);
  Unref();
}

Napi::Value Model::JS_abort(const Napi::CallbackInfo& info) {
  if (lane_) lane_->abort_all();
  return info.Env().Undefined();
}

Napi::Value Model::JS_close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!closing_) {
    closing_.emplace(Napi::Promise::Deferred::New(env));
    if (lane_ && !is_closed_) {
      root_.hold(env);
      Ref();
      lane_->close();
    } else {
      closing_->Resolve(env.Undefined());
    }
  }
  return closing_->Promise();
}

void Model::closed(Napi::Env env) {
  is_closed_ = true;
  if (!closing_) return;
  closing_->Resolve(env.Undefined());
  root_.release(env);
  Unref();
}

Napi::Value Model::JS_stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  const ForwardTimes times = lane_ ? lane_->times() : ForwardTimes{};
  object.Set("packs", static_cast<double>(times.n_packs));
  object.Set("tokens", static_cast<double>(times.n_tokens));
  object.Set("tokensRun", static_cast<double>(times.n_tokens_run));
  object.Set("tokensKept", static_cast<double>(times.n_tokens_kept));
  object.Set("keptBytes", static_cast<double>(times.kept_bytes));
  object.Set("productsMs", times.products_ms);
  object.Set("attentionMs", times.attention_ms);
  object.Set("restMs", times.rest_ms);
  object.Set("waiting", static_cast<double>(lane_ ? lane_->n_waiting_texts() : 0));
  return object;
}

}  // namespace qwen3_embed
