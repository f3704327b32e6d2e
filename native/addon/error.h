// Failure -> JS Error with `code` and `facts`: the only maker of exceptions in the addon.
#pragma once

#include <napi.h>

#include "core/failure.h"

namespace qwen3_embed {

Napi::Error make_error(Napi::Env env, const Failure& failure);

}  // namespace qwen3_embed
