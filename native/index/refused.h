// What SQLite says it cannot do, as a Failure.
#pragma once

#include <string>

#include "core/failure.h"

struct sqlite3;

namespace qwen3_embed {

// `status` is what a call returned; `handle` may be null.
Failure refused(int status, sqlite3* handle, const std::string& path);

}  // namespace qwen3_embed
