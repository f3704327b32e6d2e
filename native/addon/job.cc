#include "addon/job.h"

#include <algorithm>

#include "addon/error.h"

namespace qwen3_embed {
namespace {

Pooling read_pooling(const std::string& name) {
  if (name == "none") return Pooling::none;
  if (name == "mean") return Pooling::mean;
  if (name == "cls") return Pooling::cls;
  if (name == "rank") return Pooling::rank;
  return Pooling::last;
}

JobOptions read_options(const Napi::Object& given) {
  const auto text = [&](const char* key) { return given.Get(key).As<Napi::String>().Utf8Value(); };
  const auto flag = [&](const char* key) { return given.Get(key).As<Napi::Boolean>().Value(); };
  JobOptions options;
  options.task = text("task") == "rank" ? JobOptions::Task::rank : JobOptions::Task::embed;
  options.only_tokens = flag("onlyTokens");
  options.only_text = flag("onlyText");
  options.pooling = read_pooling(text("pooling"));
  options.interactive = flag("interactive");
  options.truncate = flag("truncate");
  options.fail_fast = flag("failFast");
  options.normalize = flag("normalize");
  options.are_queries = flag("areQueries");
  options.probability = flag("probability");
  options.n_dims = given.Get("dimensions").As<Napi::Number>().Int32Value();
  options.prefix = text("prefix");
  options.suffix = text("suffix");
  return options;
}

template <typename T>
T* data_of(const Napi::Value& value) {
  return value.IsTypedArray() ? value.As<Napi::TypedArrayOf<T>>().Data() : nullptr;
}

// Copied into memory of JavaScript's own: Electron refuses external buffers.
template <typename T>
Napi::Array to_arrays(Napi::Env env, const std::vector<std::vector<T>>& rows) {
  Napi::Array arrays = Napi::Array::New(env, rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Napi::HandleScope scope(env);
    Napi::TypedArrayOf<T> array = Napi::TypedArrayOf<T>::New(env, rows[i].size());
    std::copy(rows[i].begin(), rows[i].end(), array.Data());
    arrays.Set(static_cast<uint32_t>(i), array);
  }
  return arrays;
}

}  // namespace

Napi::Function JobHandle::define(Napi::Env env) {
  return DefineClass(
      env, "Job",
      {InstanceMethod<&JobHandle::JS_add>("add"), InstanceMethod<&JobHandle::JS_run>("run"),
       InstanceMethod<&JobHandle::JS_abort>("abort")});
}

JobHandle::JobHandle(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<JobHandle>(info),
      root_(Root::of(info.Env())),
      lane_(Model::of(info[0]).lane()),
      job_(std::make_shared<Job>(read_options(info[1].As<Napi::Object>()))),
      model_(Napi::Persistent(info[0].As<Napi::Object>())) {}

Napi::Value JobHandle::JS_add(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto head = std::make_shared<const std::string>(info[0].As<Napi::String>().Utf8Value());
    const auto bodies = info[1].As<Napi::Array>();
    for (uint32_t i = 0; i < bodies.Length(); ++i) {
      const Napi::HandleScope scope(info.Env());
      const Napi::Value body = bodies.Get(i);
      if (body.IsString()) {
        job_->add(head, body.As<Napi::String>().Utf8Value());
      } else {
        const auto ids = body.As<Napi::Int32Array>();
        job_->add_ids(head, std::vector<Token>(ids.Data(), ids.Data() + ids.ElementLength()));
      }
    }
    return info.Env().Undefined();
  });
}

Napi::Value JobHandle::JS_run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  promise_.emplace(Napi::Promise::Deferred::New(env));
  const Napi::Promise promise = promise_->Promise();
  try {
    if (!lane_) throw Failure{Code::closed, "The model is closed.", {}, "Load it again."};
    Napi::Object pinned = Napi::Object::New(env);
    for (uint32_t i = 0; i < 4; ++i) pinned.Set(i, info[i]);
    pinned_ = Napi::Persistent(pinned);
    if (info[4].IsFunction()) on_progress_ = Napi::Persistent(info[4].As<Napi::Function>());
    job_->vectors = data_of<float>(info[0]);
    job_->scores = data_of<double>(info[1]);
    job_->n_tokens = data_of<int32_t>(info[2]);
    job_->n_cut = data_of<int32_t>(info[3]);
    if (job_->options.pooling == Pooling::none) job_->token_rows.resize(job_->n_texts());
    if (job_->options.only_tokens) job_->ids.resize(job_->n_texts());
    if (job_->options.only_text) job_->texts.resize(job_->n_texts());
    if (!on_progress_.IsEmpty()) {
      job_->on_progress = [root = &root_, self = self_](size_t n_done) {
        root->post_if_possible([self, n_done](Napi::Env env) {
          if (JobHandle* job = self.get()) job->progressed(env, n_done);
        });
      };
    }
    const auto on_settled = std::make_shared<Root::Tasks>();
    on_settled->push_back([self = self_](Napi::Env env) {
      if (JobHandle* job = self.get()) job->settled(env);
    });
    job_->on_settled = [root = &root_, on_settled](Job&) { root->post(std::move(*on_settled)); };
    lane_->submit(job_);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    promise_->Reject(make_error(env, caught_failure()).Value());
    promise_.reset();
    pinned_.Reset();
    return promise;
  }
  root_.hold(env);
  Ref();
  return promise;
}

Napi::Value JobHandle::JS_abort(const Napi::CallbackInfo& info) {
  // Null once the call is settled: whoever wanted to end it may come too late.
  if (job_) job_->abort();
  if (lane_) lane_->wake();
  return info.Env().Undefined();
}

// What a callback throws ends the call, and is what its promise rejects with.
void JobHandle::progressed(Napi::Env env, size_t n_done) {
  if (on_progress_.IsEmpty()) return;
  try {
    on_progress_.Call({Napi::Number::New(env, static_cast<double>(n_done))});
  } catch (const Napi::Error& error) {
    thrown_ = error;
    on_progress_.Reset();
    job_->abort();
    lane_->wake();
  }
}

void JobHandle::settled(Napi::Env env) {
  if (thrown_) {
    promise_->Reject(thrown_->Value());
  } else if (job_->failure) {
    promise_->Reject(make_error(env, *job_->failure).Value());
  } else {
    Napi::Object report = Napi::Object::New(env);
    Napi::Array failures = Napi::Array::New(env, job_->failures.size());
    for (size_t i = 0; i < job_->failures.size(); ++i) {
      failures.Set(static_cast<uint32_t>(i), make_error(env, job_->failures[i].failure).Value());
    }
    report.Set("failures", failures);
    report.Set("tokenRows", to_arrays<float>(env, job_->token_rows));
    report.Set("ids", to_arrays<Token>(env, job_->ids));
    Napi::Array texts = Napi::Array::New(env, job_->texts.size());
    for (size_t i = 0; i < job_->texts.size(); ++i)
      texts.Set(static_cast<uint32_t>(i), job_->texts[i]);
    report.Set("texts", texts);
    promise_->Resolve(report);
  }
  promise_.reset();
  pinned_.Reset();
  on_progress_.Reset();
  thrown_.reset();
  lane_.reset();
  job_.reset();
  model_.Reset();
  root_.release(env);
  Unref();
}

}  // namespace qwen3_embed
