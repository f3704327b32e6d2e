// Words of chunks in FTS5: a tokenizer that takes them as they come, and BM25 of all chunks at
// once.
#pragma once

#include "index/database.h"

namespace qwen3_embed {

// The tokenizer `qwen3words` (words are what stands between spaces: what a word is was decided
// before) and the auxiliary function `qwen3_scores`. Returns SQLite's status.
int register_words(sqlite3* handle);

// What `qwen3_scores` is handed as a pointer of this name.
constexpr const char* kScoreWords = "qwen3_scores";
struct ScoreWords {
  Lengths lengths;
  float* scores;  // (lengths.places), added to
};

}  // namespace qwen3_embed
