#include "addon/generator.h"

#include "addon/error.h"
#include "core/machine/backends.h"

namespace qwen3_embed {
namespace {

GeneratorOptions read_options(const Napi::Object& given) {
  const auto number = [&](const char* key) {
    return static_cast<int>(given.Get(key).As<Napi::Number>().Int64Value());
  };
  GeneratorOptions options;
  options.path = given.Get("path").As<Napi::String>().Utf8Value();
  options.n_threads = number("threads");
  options.n_sequences = number("sequences");
  options.max_tokens = number("maxTokens");
  return options;
}

// News on their way from the thread, in memory that is there before they are.
struct Loaded {
  std::optional<Failure> failure;
  std::string fingerprint, name;
  int max_tokens = 0, n_threads = 0;
};
struct Answered {
  std::optional<Failure> failure;
  ChatAnswer answer;
};

template <typename News, typename Write>
void report(News& news, const Failure* failure, const Write& write) {
  try {
    if (failure != nullptr) {
      news.failure = *failure;
    } else {
      write();
    }
  } catch (...) {
    news.failure.emplace(no_memory());
  }
}

}  // namespace

Napi::Function GeneratorHandle::define(Napi::Env env) {
  return DefineClass(env, "Generator",
                     {InstanceMethod<&GeneratorHandle::JS_load>("load"),
                      InstanceMethod<&GeneratorHandle::JS_ask>("ask"),
                      InstanceMethod<&GeneratorHandle::JS_abort>("abort"),
                      InstanceMethod<&GeneratorHandle::JS_close>("close")});
}

GeneratorHandle::GeneratorHandle(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<GeneratorHandle>(info), root_(Root::of(info.Env())) {
  root_.add(this);
}

GeneratorHandle::~GeneratorHandle() {
  root_.remove(this);
  shut();
  self_.gone();
}

void GeneratorHandle::shut() {
  if (thread_) thread_->shut();
}

uint32_t GeneratorHandle::open_call(Napi::Env env) {
  const uint32_t call = n_calls_++;
  calls_.emplace(call, Napi::Promise::Deferred::New(env));
  root_.hold(env);
  Ref();
  return call;
}

Napi::Promise::Deferred GeneratorHandle::close_call(Napi::Env env, uint32_t call) {
  const auto found = calls_.find(call);
  const Napi::Promise::Deferred deferred = found->second;
  calls_.erase(found);
  root_.release(env);
  Unref();
  return deferred;
}

void GeneratorHandle::settle(Napi::Env env, uint32_t call,
                             const std::function<Napi::Value()>& value,
                             const std::optional<Failure>& failure) {
  const Napi::Promise::Deferred deferred = close_call(env, call);
  if (failure) {
    deferred.Reject(make_error(env, *failure).Value());
  } else {
    deferred.Resolve(value());
  }
}

Napi::Value GeneratorHandle::JS_load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    GeneratorOptions options = read_options(info[0].As<Napi::Object>());
    load_backends(info[1].As<Napi::String>().Utf8Value());
    const uint32_t call = open_call(env);
    const Napi::Promise promise = this->promise(call);
    try {
      const auto news = std::make_shared<Loaded>();
      const auto tasks = std::make_shared<Root::Tasks>();
      tasks->push_back([self = self_, news, call](Napi::Env there) {
        GeneratorHandle* handle = self.get();
        if (handle == nullptr) return;
        const auto facts = [&]() -> Napi::Value {
          Napi::Object object = Napi::Object::New(there);
          object.Set("fingerprint", news->fingerprint);
          object.Set("name", news->name);
          object.Set("maxTokens", news->max_tokens);
          object.Set("threads", news->n_threads);
          return object;
        };
        handle->settle(there, call, facts, news->failure);
      });
      auto on_loaded = [root = &root_, news, tasks](const Generator* generator,
                                                    const Failure* failure) {
        report(*news, failure, [&] {
          news->fingerprint = generator->facts().fingerprint;
          news->name = generator->facts().name;
          news->max_tokens = generator->max_tokens();
          news->n_threads = generator->n_threads();
        });
        root->post(std::move(*tasks));
      };
      const auto on_gone = std::make_shared<Root::Tasks>();
      on_gone->push_back([self = self_](Napi::Env there) {
        GeneratorHandle* handle = self.get();
        if (handle == nullptr) return;
        handle->is_closed_ = true;
        if (handle->closing_) {
          handle->settle(
              there, *handle->closing_, [&] { return there.Undefined(); }, std::nullopt);
        }
      });
      auto on_closed = [root = &root_, on_gone] { root->post(std::move(*on_gone)); };
      thread_ = std::make_unique<GeneratorThread>(std::move(options), on_loaded, on_closed);
    } catch (...) {
      close_call(env, call).Reject(make_error(env, caught_failure()).Value());
    }
    return Napi::Value(promise);
  });
}

Napi::Value GeneratorHandle::JS_ask(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const auto text = [&](size_t i) { return info[i].As<Napi::String>().Utf8Value(); };
    const uint32_t call = open_call(env);
    const Napi::Promise promise = this->promise(call);
    try {
      const auto news = std::make_shared<Answered>();
      const auto tasks = std::make_shared<Root::Tasks>();
      tasks->push_back([self = self_, news, call](Napi::Env there) {
        GeneratorHandle* handle = self.get();
        if (handle == nullptr) return;
        const auto answer = [&]() -> Napi::Value {
          Napi::Object object = Napi::Object::New(there);
          object.Set("text", news->answer.text);
          object.Set("complete", news->answer.complete);
          object.Set("promptTokens", news->answer.n_prompt);
          object.Set("tokens", news->answer.n_tokens);
          object.Set("digest", news->answer.digest);
          return object;
        };
        handle->settle(there, call, answer, news->failure);
      });
      auto on_answer = [root = &root_, news, tasks](const ChatAnswer* answer,
                                                    const Failure* failure) {
        report(*news, failure, [&] { news->answer = *answer; });
        root->post(std::move(*tasks));
      };
      ChatQuestion question{text(0), text(1), text(2), info[3].As<Napi::Number>().Int32Value(),
                            info[4].As<Napi::Number>().Uint32Value()};
      if (!thread_) throw Failure{Code::closed, "The generator is not loaded.", {}, "Load it."};
      thread_->ask(std::move(question), on_answer);
    } catch (...) {
      close_call(env, call).Reject(make_error(env, caught_failure()).Value());
    }
    return Napi::Value(promise);
  });
}

Napi::Value GeneratorHandle::JS_abort(const Napi::CallbackInfo& info) {
  if (thread_) thread_->abort();
  return info.Env().Undefined();
}

Napi::Value GeneratorHandle::JS_close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!thread_ || is_closed_) {
    const auto done = Napi::Promise::Deferred::New(env);
    done.Resolve(env.Undefined());
    return done.Promise();
  }
  // A second caller gets the first one's promise.
  if (!closing_) {
    closing_ = open_call(env);
    thread_->close();
  }
  return promise(*closing_);
}

}  // namespace qwen3_embed
