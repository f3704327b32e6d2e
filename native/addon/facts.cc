#include "addon/facts.h"

namespace qwen3_embed {
namespace {

const char* pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::none:
      return "none";
    case Pooling::mean:
      return "mean";
    case Pooling::cls:
      return "cls";
    case Pooling::last:
      return "last";
    case Pooling::rank:
      return "rank";
  }
  return "";
}

const char* head_name(Head head) {
  switch (head) {
    case Head::none:
      return "none";
    case Head::cls:
      return "cls";
    case Head::yes_no:
      return "yes-no";
  }
  return "";
}

Napi::Array texts(Napi::Env env, const std::vector<std::string>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<uint32_t>(i), values[i]);
  return array;
}

}  // namespace

Napi::Object facts_object(Napi::Env env, const Facts& facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("architecture", facts.architecture);
  object.Set("name", facts.name);
  object.Set("quantisation", facts.quantisation);
  object.Set("tokenizer", facts.tokenizer);
  object.Set("fingerprint", facts.fingerprint);
  object.Set("bytes", static_cast<double>(facts.file_bytes));
  object.Set("parameters", static_cast<double>(facts.n_parameters));
  object.Set("layers", facts.n_layer);
  object.Set("width", facts.n_embd);
  object.Set("heads", facts.n_head);
  object.Set("kvHeads", facts.n_head_kv);
  object.Set("headSize", facts.head_dim);
  object.Set("feedForward", facts.n_ff);
  object.Set("vocabulary", facts.n_vocab);
  object.Set("trainedTokens", facts.n_ctx_train);
  object.Set("pooling", facts.pooling
                            ? Napi::Value(Napi::String::New(env, pooling_name(*facts.pooling)))
                            : env.Null());
  object.Set("head", head_name(facts.head));
  object.Set("isQwen3", facts.is_qwen3);
  Napi::Array findings = Napi::Array::New(env, facts.findings.size());
  for (size_t i = 0; i < facts.findings.size(); ++i) {
    Napi::Object finding = Napi::Object::New(env);
    finding.Set("fatal", facts.findings[i].fatal);
    finding.Set("what", facts.findings[i].what);
    finding.Set("remedy", facts.findings[i].remedy);
    findings.Set(static_cast<uint32_t>(i), finding);
  }
  object.Set("findings", findings);
  Napi::Object types = Napi::Object::New(env);
  for (const TensorTypes& of : facts.tensor_types) types.Set(of.label, texts(env, of.types));
  object.Set("tensorTypes", types);
  object.Set("chatTemplates", texts(env, facts.chat_templates));
  return object;
}

void add_engine_facts(Napi::Object object, const Forward::Limits& limits, const std::string& engine,
                      const Threads& threads) {
  object.Set("engine", engine);
  object.Set("device", limits.device);
  object.Set("kernels", limits.kernels);
  object.Set("gpuWeights", limits.weights);
  object.Set("maxTokens", limits.max_tokens);
  object.Set("budget", limits.budget);
  object.Set("rowWidth", limits.n_embd);
  object.Set("threads", threads.n);
  object.Set("threadsReason", threads.reason);
}

void add_adapter_facts(Napi::Object object, const Facts& facts) {
  object.Set("queryFingerprint", facts.query_fingerprint);
  Napi::Array adapters = Napi::Array::New(object.Env(), facts.adapters.size());
  for (size_t i = 0; i < facts.adapters.size(); ++i) {
    const AdapterFacts& from = facts.adapters[i];
    Napi::Object adapter = Napi::Object::New(object.Env());
    adapter.Set("path", from.path);
    adapter.Set("fingerprint", from.fingerprint);
    adapter.Set("scale", from.scale);
    adapter.Set("rank", static_cast<double>(from.rank));
    adapter.Set("side", from.queries_only ? "query" : "both");
    adapters.Set(static_cast<uint32_t>(i), adapter);
  }
  object.Set("adapters", adapters);
}

}  // namespace qwen3_embed
