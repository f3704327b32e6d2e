// Which rows see which: the tokens of a tile, cut where runs end, each with the rows of its run and
// ancestors. Rows that are not related never meet, so strangers in a pack cost nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "core/network/trie.h"

namespace qwen3_embed {

// Consecutive tokens of one run, asking for attention.
struct Question {
  int32_t position;
  int32_t first;                   // in the tile
  int32_t n;                       // tokens
  int32_t n_keys;                  // that any of them sees
  int32_t spans_begin, spans_end;  // in AttentionPlan::spans: where the keys stand, from position 0
};

// The same for every block of a pass.
struct AttentionPlan {
  std::vector<Question> questions;
  std::vector<Span> spans;
};

// In questions of `most` queries at most.
AttentionPlan plan_attention(const Trie& trie, const Tile& tile, bool is_causal, int32_t most);

}  // namespace qwen3_embed
