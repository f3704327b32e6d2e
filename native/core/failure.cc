#include "core/failure.h"

#include <exception>
#include <new>

namespace qwen3_embed {

const char* code_name(Code code) {
  switch (code) {
#define X(name, text) \
  case Code::name:    \
    return text;
    QWEN3_FAILURE_CODES(X)
#undef X
  }
  return "ERR_COMPUTE";
}

Failure no_memory() noexcept { return {Code::out_of_memory, "Out of memory.", {}, {}}; }

namespace {

Failure caught() {
  try {
    throw;
  } catch (Failure& failure) {
    return std::move(failure);
  } catch (const std::bad_alloc&) {
    return {Code::out_of_memory,
            "The process ran out of memory.",
            {},
            "Lower budget, or send fewer texts."};
  } catch (const std::exception& error) {
    return {Code::compute, std::string("Unexpected native error: ") + error.what(), {}};
  } catch (...) {
    return {Code::compute, "Unexpected native error", {}};
  }
}

}  // namespace

Failure caught_failure() noexcept {
  try {
    return caught();
  } catch (...) {  // no memory for its sentence
    return no_memory();
  }
}

}  // namespace qwen3_embed
