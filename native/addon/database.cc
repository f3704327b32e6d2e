#include "addon/database.h"

#include <cmath>

#include "addon/error.h"
#include "index/scan.h"

namespace qwen3_embed {

namespace {

constexpr double kWhole = 9007199254740992.0;  // 2^53

Value value_of(const Napi::Value& given) {
  if (given.IsNumber()) {
    const double number = given.As<Napi::Number>().DoubleValue();
    if (std::trunc(number) == number && std::fabs(number) <= kWhole)
      return static_cast<int64_t>(number);
    return number;
  }
  if (given.IsString()) return given.As<Napi::String>().Utf8Value();
  if (given.IsTypedArray()) {
    const auto array = given.As<Napi::TypedArray>();
    const auto* start =
        static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    return Bytes(start, start + array.ByteLength());
  }
  return std::monostate();
}

Napi::Value js_value(Napi::Env env, const Value& value) {
  if (const auto* whole = std::get_if<int64_t>(&value))
    return Napi::Number::New(env, static_cast<double>(*whole));
  if (const auto* number = std::get_if<double>(&value)) return Napi::Number::New(env, *number);
  if (const auto* text = std::get_if<std::string>(&value)) return Napi::String::New(env, *text);
  if (const auto* bytes = std::get_if<Bytes>(&value)) {
    auto array = Napi::Uint8Array::New(env, bytes->size());
    std::copy(bytes->begin(), bytes->end(), array.Data());
    return array;
  }
  return env.Null();
}

}  // namespace

Napi::Function DatabaseHandle::define(Napi::Env env) {
  return DefineClass(env, "Database",
                     {
                         InstanceMethod<&DatabaseHandle::JS_execute>("execute"),
                         InstanceMethod<&DatabaseHandle::JS_rows>("rows"),
                         InstanceMethod<&DatabaseHandle::JS_last_row>("lastRow"),
                         InstanceMethod<&DatabaseHandle::JS_score_words>("scoreWords"),
                         InstanceMethod<&DatabaseHandle::JS_close>("close"),
                     });
}

// (path, 'read' | 'write' | 'create')
DatabaseHandle::DatabaseHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    const std::string access = info[1].As<Napi::String>();
    database_ = std::make_unique<Database>(info[0].As<Napi::String>().Utf8Value(),
                                           access == "read"    ? Database::Access::kRead
                                           : access == "write" ? Database::Access::kWrite
                                                               : Database::Access::kCreate);
  });
}

Database& DatabaseHandle::open() {
  if (!database_) throw Failure{Code::closed, "The index is closed.", {}};
  return *database_;
}

// (statements)
Napi::Value DatabaseHandle::JS_execute(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    open().execute(info[0].As<Napi::String>());
    return info.Env().Undefined();
  });
}

// (statement, values) -> rows, each an array
Napi::Value DatabaseHandle::JS_rows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const auto given = info[1].As<Napi::Array>();
    Row values;
    for (uint32_t i = 0; i < given.Length(); i++) values.push_back(value_of(given[i]));
    const std::vector<Row> rows = open().rows(info[0].As<Napi::String>(), values);
    Napi::Array out = Napi::Array::New(env, rows.size());
    for (uint32_t i = 0; i < rows.size(); i++) {
      const Napi::HandleScope scope(env);
      Napi::Array row = Napi::Array::New(env, rows[i].size());
      for (uint32_t j = 0; j < rows[i].size(); j++) row[j] = js_value(env, rows[i][j]);
      out[i] = row;
    }
    return out;
  });
}

Napi::Value DatabaseHandle::JS_last_row(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(open().last_row()));
  });
}

// (expression, lengths, mean, chunks, scores)
Napi::Value DatabaseHandle::JS_score_words(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto lengths = info[1].As<Napi::Float32Array>();
    auto scores = info[4].As<Napi::Float32Array>();
    open().score_words(
        info[0].As<Napi::String>(),
        {lengths.Data(), lengths.ElementLength(), info[2].As<Napi::Number>().DoubleValue(),
         info[3].As<Napi::Number>().DoubleValue()},
        scores.Data());
    return info.Env().Undefined();
  });
}

Napi::Value DatabaseHandle::JS_close(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    database_.reset();
    return info.Env().Undefined();
  });
}

Napi::Value JS_scan(const Napi::CallbackInfo& info) {
  auto codes = info[0].As<Napi::Int8Array>();
  auto scales = info[1].As<Napi::Float32Array>();
  auto query = info[3].As<Napi::Int8Array>();
  auto cosines = info[5].As<Napi::Float32Array>();
  scan({codes.Data(), scales.Data(), cosines.ElementLength(),
        static_cast<size_t>(info[2].As<Napi::Number>().Int64Value())},
       query.Data(), info[4].As<Napi::Number>().FloatValue(), cosines.Data());
  return info.Env().Undefined();
}

}  // namespace qwen3_embed
