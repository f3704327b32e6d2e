// What can go wrong in native code, and the one way it is told.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace qwen3_embed {

// One table: the enum, the names JavaScript sees, and the test that compares them with
// lib/errors.ts.
#define QWEN3_FAILURE_CODES(X)                  \
  X(model_not_found, "ERR_MODEL_NOT_FOUND")     \
  X(model_invalid, "ERR_MODEL_INVALID")         \
  X(model_mismatch, "ERR_MODEL_MISMATCH")       \
  X(model_unsupported, "ERR_MODEL_UNSUPPORTED") \
  X(text_too_long, "ERR_TEXT_TOO_LONG")         \
  X(text_empty, "ERR_TEXT_EMPTY")               \
  X(token_unknown, "ERR_TOKEN_UNKNOWN")         \
  X(non_finite, "ERR_NON_FINITE")               \
  X(out_of_memory, "ERR_OUT_OF_MEMORY")         \
  X(compute, "ERR_COMPUTE")                     \
  X(gpu_unavailable, "ERR_GPU_UNAVAILABLE")     \
  X(model_changed, "ERR_MODEL_CHANGED")         \
  X(queue_full, "ERR_QUEUE_FULL")               \
  X(closed, "ERR_CLOSED")                       \
  X(index_not_found, "ERR_INDEX_NOT_FOUND")     \
  X(index_busy, "ERR_INDEX_BUSY")               \
  X(index_damaged, "ERR_INDEX_DAMAGED")         \
  X(index_version, "ERR_INDEX_VERSION")         \
  X(disk_full, "ERR_DISK_FULL")                 \
  X(aborted, "ERR_ABORTED")

enum class Code {
#define X(name, text) name,
  QWEN3_FAILURE_CODES(X)
#undef X
};

const char* code_name(Code code);

using Fact = std::pair<std::string, std::variant<int64_t, std::string>>;

// Thrown by value in core, made into a JS error in addon/error.cc.
struct Failure {
  Code code;
  std::string message;  // what was expected and what came
  std::vector<Fact> facts;
  std::string remedy = {};  // what to do

  // Both sentences, for a reader who sees one string.
  std::string sentence() const { return remedy.empty() ? message : message + " " + remedy; }
};

// The exception being handled, as a Failure: llama.cpp and the standard library throw, and past
// the borders of core (its threads, the addon) there are Failures only. Inside a catch block.
Failure caught_failure() noexcept;

// A sentence so short that it needs no memory of its own.
Failure no_memory() noexcept;

}  // namespace qwen3_embed
