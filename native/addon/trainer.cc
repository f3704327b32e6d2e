#include "addon/trainer.h"

#include <optional>

#include "addon/error.h"
#include "core/machine/backends.h"

namespace qwen3_embed {
namespace {

template <typename T>
std::vector<T> values_of(const Napi::Value& value) {
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

train::TrainerOptions read_options(const Napi::Object& given) {
  const auto number = [&](const char* key) {
    return given.Get(key).As<Napi::Number>().DoubleValue();
  };
  const auto flag = [&](const char* key) { return given.Get(key).As<Napi::Boolean>().Value(); };
  train::TrainerOptions options;
  options.path = given.Get("path").As<Napi::String>().Utf8Value();
  options.n_threads = static_cast<int>(number("threads"));
  options.budget = static_cast<int>(number("budget"));
  options.ranks = flag("ranks");
  options.exact = flag("exact");
  options.lora.rank = static_cast<int64_t>(number("rank"));
  options.lora.alpha = number("alpha");
  options.lora.seed = static_cast<uint64_t>(number("seed"));
  options.lora.n_layers = static_cast<int32_t>(number("layers"));
  const std::vector<uint8_t> targets = values_of<uint8_t>(given.Get("targets"));
  for (size_t i = 0; i < options.lora.targets.size(); ++i)
    options.lora.targets[i] = targets[i] != 0;
  options.loss.temperature = number("temperature");
  options.loss.margin = number("margin");
  options.loss.dims = values_of<int32_t>(given.Get("dims"));
  options.loss.queries = flag("queryTerms");
  options.loss.pairs = flag("pairTerms");
  options.decay = number("decay");
  options.most_norm = number("mostNorm");
  return options;
}

}  // namespace

// Holds the session: a handle that is collected meanwhile takes nothing away.
class TrainerHandle::Work final : public Napi::AsyncWorker {
 public:
  Work(Napi::Env env, std::shared_ptr<Session> session, std::function<Result(Session&)> work)
      : Napi::AsyncWorker(env),
        session_(std::move(session)),
        work_(std::move(work)),
        promise_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

  void Execute() override {
    try {
      result_ = work_(*session_);
    } catch (...) {
      failure_ = caught_failure();
    }
  }
  void OnOK() override {
    if (failure_) {
      promise_.Reject(make_error(Env(), *failure_).Value());
    } else {
      promise_.Resolve(result_ ? result_(Env()) : Env().Undefined());
    }
  }
  void OnError(const Napi::Error& error) override { promise_.Reject(error.Value()); }

 private:
  std::shared_ptr<Session> session_;
  std::function<Result(Session&)> work_;
  Result result_;
  std::optional<Failure> failure_;
  Napi::Promise::Deferred promise_;
};

Napi::Function TrainerHandle::define(Napi::Env env) {
  return DefineClass(env, "Trainer",
                     {InstanceMethod<&TrainerHandle::JS_load>("load"),
                      InstanceMethod<&TrainerHandle::JS_setTexts>("setTexts"),
                      InstanceMethod<&TrainerHandle::JS_setRows>("setRows"),
                      InstanceMethod<&TrainerHandle::JS_step>("step"),
                      InstanceMethod<&TrainerHandle::JS_stepPairs>("stepPairs"),
                      InstanceMethod<&TrainerHandle::JS_writeAdapter>("writeAdapter"),
                      InstanceMethod<&TrainerHandle::JS_writeState>("writeState"),
                      InstanceMethod<&TrainerHandle::JS_stateWords>("stateWords"),
                      InstanceMethod<&TrainerHandle::JS_readState>("readState"),
                      InstanceMethod<&TrainerHandle::JS_abort>("abort"),
                      InstanceMethod<&TrainerHandle::JS_close>("close")});
}

TrainerHandle::TrainerHandle(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TrainerHandle>(info) {}

Napi::Value TrainerHandle::run(Napi::Env env, std::function<Result(Session&)> work) {
  auto* running = new Work(env, session_, std::move(work));  // owned by Node-API
  const Napi::Promise promise = running->promise();
  running->Queue();
  return promise;
}

Napi::Value TrainerHandle::JS_load(const Napi::CallbackInfo& info) {
  const train::TrainerOptions options = read_options(info[0].As<Napi::Object>());
  const std::string libraries = info[1].As<Napi::String>().Utf8Value();
  return run(info.Env(), [options, libraries](Session& session) -> Result {
    load_backends(libraries);
    session.trainer = std::make_unique<train::Trainer>(
        options, [&session] { return session.aborted.load(std::memory_order_relaxed); });
    const auto n_parameters = static_cast<double>(session.trainer->n_parameters());
    const std::string fingerprint = session.trainer->facts().fingerprint;
    return [n_parameters, fingerprint](Napi::Env env) -> Napi::Value {
      Napi::Object facts = Napi::Object::New(env);
      facts.Set("parameters", n_parameters);
      facts.Set("fingerprint", fingerprint);
      return facts;
    };
  });
}

Napi::Value TrainerHandle::JS_setTexts(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto ids = info[0].As<Napi::Int32Array>();
    const auto ends = info[1].As<Napi::Int32Array>();
    std::vector<Sequence> texts(ends.ElementLength());
    int32_t from = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      texts[i].ids.assign(ids.Data() + from, ids.Data() + ends[i]);
      from = ends[i];
    }
    session_->trainer->set_texts(std::move(texts));
    return info.Env().Undefined();
  });
}

Napi::Value TrainerHandle::JS_setRows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    session_->trainer->set_rows(values_of<float>(info[0]), values_of<uint8_t>(info[1]));
    return info.Env().Undefined();
  });
}

namespace {

Napi::Value report_object(Napi::Env env, const train::StepReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", report.loss);
  object.Set("norm", report.norm);
  object.Set("rows", static_cast<double>(report.n_rows));
  return object;
}

}  // namespace

Napi::Value TrainerHandle::JS_step(const Napi::CallbackInfo& info) {
  train::Batch batch;
  batch.queries = values_of<int32_t>(info[0]);
  const std::vector<int32_t> documents = values_of<int32_t>(info[1]);
  for (size_t i = 0; i + 2 < documents.size(); i += 3)
    batch.documents.push_back({documents[i], documents[i + 1], documents[i + 2] != 0});
  const double rate = info[2].As<Napi::Number>().DoubleValue();
  return run(info.Env(), [batch = std::move(batch), rate](Session& session) -> Result {
    const train::StepReport report =
        session.trainer->gradient(batch, [&] { return session.aborted.load(); });
    session.trainer->update(rate);
    return [report](Napi::Env env) { return report_object(env, report); };
  });
}

Napi::Value TrainerHandle::JS_stepPairs(const Napi::CallbackInfo& info) {
  train::PairBatch batch{values_of<int32_t>(info[0]), values_of<uint8_t>(info[1])};
  const double rate = info[2].As<Napi::Number>().DoubleValue();
  return run(info.Env(), [batch = std::move(batch), rate](Session& session) -> Result {
    const train::StepReport report =
        session.trainer->gradient(batch, [&] { return session.aborted.load(); });
    session.trainer->update(rate);
    return [report](Napi::Env env) { return report_object(env, report); };
  });
}

Napi::Value TrainerHandle::JS_writeAdapter(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const auto given = info[1].As<Napi::Array>();
  std::vector<std::pair<std::string, std::string>> facts;
  for (uint32_t i = 0; i < given.Length(); ++i) {
    const auto fact = given.Get(i).As<Napi::Array>();
    facts.emplace_back(fact.Get(0u).As<Napi::String>().Utf8Value(),
                       fact.Get(1u).As<Napi::String>().Utf8Value());
  }
  return run(info.Env(), [path, facts = std::move(facts)](Session& session) -> Result {
    session.trainer->write_adapter(path, facts);
    return {};
  });
}

Napi::Value TrainerHandle::JS_writeState(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const std::string words = info[1].As<Napi::String>().Utf8Value();
  return run(info.Env(), [path, words](Session& session) -> Result {
    session.trainer->write_state(path, words);
    return {};
  });
}

Napi::Value TrainerHandle::JS_stateWords(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  return run(info.Env(), [path](Session&) -> Result {
    const std::string words = train::Trainer::state_words(path);
    return [words](Napi::Env env) -> Napi::Value { return Napi::String::New(env, words); };
  });
}

Napi::Value TrainerHandle::JS_readState(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  return run(info.Env(), [path](Session& session) -> Result {
    const std::string words = session.trainer->read_state(path);
    return [words](Napi::Env env) -> Napi::Value { return Napi::String::New(env, words); };
  });
}

Napi::Value TrainerHandle::JS_abort(const Napi::CallbackInfo& info) {
  session_->aborted = true;
  return info.Env().Undefined();
}

Napi::Value TrainerHandle::JS_close(const Napi::CallbackInfo& info) {
  session_ = std::make_shared<Session>();
  return info.Env().Undefined();
}

}  // namespace qwen3_embed
