// Database as JavaScript sees it: one connection to a SQLite file, for the thread that made it.
// Calls return when they are done, so that thread is a worker.
#pragma once

#include <napi.h>

#include <memory>

#include "index/database.h"

namespace qwen3_embed {

class DatabaseHandle final : public Napi::ObjectWrap<DatabaseHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DatabaseHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value JS_execute(const Napi::CallbackInfo& info);
  Napi::Value JS_rows(const Napi::CallbackInfo& info);
  Napi::Value JS_last_row(const Napi::CallbackInfo& info);
  Napi::Value JS_score_words(const Napi::CallbackInfo& info);
  Napi::Value JS_close(const Napi::CallbackInfo& info);

  Database& open();  // throws a Failure once it is closed

  std::unique_ptr<Database> database_;
};

// (codes, scales, width, query, query_scale, cosines)
Napi::Value JS_scan(const Napi::CallbackInfo& info);

}  // namespace qwen3_embed
