#include "addon/error.h"

namespace qwen3_embed {

Napi::Error make_error(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  Napi::Object facts = Napi::Object::New(env);
  for (const Fact& fact : failure.facts) {
    if (const auto* number = std::get_if<int64_t>(&fact.second)) {
      facts.Set(fact.first, Napi::Number::New(env, static_cast<double>(*number)));
    } else {
      facts.Set(fact.first, Napi::String::New(env, std::get<std::string>(fact.second)));
    }
  }
  error.Set("code", Napi::String::New(env, code_name(failure.code)));
  error.Set("facts", facts);
  if (!failure.remedy.empty()) error.Set("remedy", Napi::String::New(env, failure.remedy));
  return error;
}

}  // namespace qwen3_embed
