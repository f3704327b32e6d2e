// Failure -> JS Error with `code`, `facts` and `remedy`: the only maker of exceptions in the addon.
#pragma once

#include <napi.h>

#include "core/failure.h"

namespace qwen3_embed {

// `message` holds the remedy too, so that whoever prints an error prints what to do.
Napi::Error make_error(Napi::Env env, const Failure& failure);

// Calls `action` for JavaScript: whatever it throws becomes the JS error of a Failure.
template <typename Action>
auto guarded(Napi::Env env, const Action& action) -> decltype(action()) {
  try {
    return action();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw make_error(env, caught_failure());
  }
}

}  // namespace qwen3_embed
