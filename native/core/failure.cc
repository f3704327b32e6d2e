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

Failure caught_failure() {
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

}  // namespace qwen3_embed
