// What is known of a file, as a plain JS object.
#pragma once

#include <napi.h>

#include "core/road/engine.h"

namespace qwen3_embed {

Napi::Object facts_object(Napi::Env env, const Facts& facts);
void add_adapter_facts(Napi::Object object, const Facts& facts);
void add_engine_facts(Napi::Object object, const Forward::Limits& limits, const std::string& engine,
                      const Threads& threads);

}  // namespace qwen3_embed
