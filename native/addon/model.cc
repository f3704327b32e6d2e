#include "addon/model.h"

#include "addon/error.h"
#include "addon/facts.h"
#include "core/machine/backends.h"

namespace qwen3_embed {

Napi::Function Model::define(Napi::Env env) {
  return DefineClass(
      env, "Model",
      {InstanceMethod<&Model::JS_load>("load"), InstanceMethod<&Model::JS_abort>("abort"),
       InstanceMethod<&Model::JS_close>("close"), InstanceMethod<&Model::JS_stats>("stats")});
}

Model::Model(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Model>(info), root_(Root::of(info.Env())) {
  root_.add(this);
}

Model::~Model() {
  root_.remove(this);
  shut();
  *self_ = nullptr;
}

void Model::shut() {
  if (lane_) lane_->shut();
}

Napi::Value Model::JS_load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto given = info[0].As<Napi::Object>();
  const auto text = [&](const char* key) { return given.Get(key).As<Napi::String>().Utf8Value(); };
  const auto number = [&](const char* key) {
    return given.Get(key).As<Napi::Number>().Int64Value();
  };
  LoadOptions options;
  options.path = text("path");
  options.kind = text("kind") == "rank" ? Kind::rank : Kind::embed;
  options.engine = text("engine");
  options.kernels = text("kernels");
  options.gpu = text("gpu");
  options.gpu_library = text("gpuLibrary");
  options.n_threads = static_cast<int>(number("threads"));
  options.max_tokens = static_cast<int>(number("maxTokens"));
  options.budget = static_cast<int>(number("budget"));
  options.prefix_bytes = static_cast<size_t>(number("prefixCache"));
  const auto n_queued_texts = static_cast<size_t>(number("maxQueue"));
  load_backends(info[1].As<Napi::String>().Utf8Value());
  if (info[2].IsFunction()) on_progress_ = Napi::Persistent(info[2].As<Napi::Function>());

  loading_.emplace(Napi::Promise::Deferred::New(env));
  root_.hold(env);
  Ref();
  LaneEvents events;
  // Whole percents only: a progress call crosses to the JS thread.
  events.on_load_progress = [this, last = -1](double fraction) mutable {
    const int percent = static_cast<int>(fraction * 100);
    if (percent == last) return;
    last = percent;
    root_.post([this, fraction](Napi::Env) {
      if (!on_progress_.IsEmpty()) on_progress_.Call({Napi::Number::New(Env(), fraction)});
    });
  };
  events.on_loaded = [this](const Engine* engine, const Failure* failure) {
    if (failure != nullptr) {
      root_.post(
          [this, failure = *failure](Napi::Env env) { loaded(env, env.Undefined(), failure); });
      return;
    }
    root_.post([this, facts = engine->facts(), limits = engine->limits(),
                name = engine->engine_name()](Napi::Env env) {
      Napi::Object object = facts_object(env, facts);
      add_engine_facts(object, limits, name);
      loaded(env, object, std::nullopt);
    });
  };
  events.on_closed = [this, self = self_] {
    root_.post([self](Napi::Env env) {
      if (*self != nullptr) (*self)->closed(env);
    });
  };
  lane_ = std::make_shared<Lane>(std::move(options), n_queued_texts, std::move(events));
  return loading_->Promise();
}

void Model::loaded(Napi::Env env, const Napi::Value& facts, const std::optional<Failure>& failure) {
  on_progress_.Reset();
  if (failure) {
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
