#include "core/failure.h"

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

}  // namespace qwen3_embed
