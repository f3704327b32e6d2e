// The words the pipeline passes along: text -> segments -> sequence -> pack -> row -> vector |
// score.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace qwen3_embed {

using Token = int32_t;

// Token ids of one prompt, special tokens included, ready to run.
struct Sequence {
  std::vector<Token> ids;  // (n_tokens)
};

enum class Pooling { none, mean, cls, last, rank };

// Sequences that share one pass. All of them are pooled the same way, through the same weights.
struct Pack {
  std::vector<const Sequence*> sequences;  // (n_seq)
  Pooling pooling;
  // One that waits for a later pass, if any does: what it shares with these is worth keeping.
  const Sequence* next = nullptr;
  bool are_queries = false;  // heeded where Forward::Limits::tells_queries
  int crew = 0;              // that runs it: see Forward::n_crews()
};

}  // namespace qwen3_embed
