// Sequences -> token runs. Causal attention makes the hidden states of a prefix the same for all
// that follow it, so a pack is a trie: what sequences share is computed once, and what an earlier
// pass has kept not at all. Derived from ids alone; knows nothing of templates.
#pragma once

#include <cstdint>
#include <vector>

#include "core/road/sequence.h"

namespace qwen3_embed {

// Tokens that follow one another in the rows of a pack and in a sequence. The run sees itself and,
// of each ancestor, the tokens at positions before the child's: a child may branch off in the
// middle of its parent.
struct Run {
  int32_t parent;    // index of an earlier run, -1 for a root
  int32_t position;  // of its first token: the tokens that come before it
  int32_t row;       // of its first token
  int32_t n_tokens;  // at least 1
  int32_t kept;      // of a root: the kept prefix that holds the tokens before it, or -1
};

// Rows [row, row + n_tokens) of the pack, or of kept prefix `kept`, hold a sequence's tokens from
// `position` on.
struct Span {
  int32_t position;
  int32_t row;
  int32_t n_tokens;
  int32_t kept = -1;
};

// Rows that go through a block together: rows [first, first + n) of the pack, or of `listed` if
// that is given.
struct Tile {
  int32_t first;
  int32_t n;
  const std::vector<int32_t>* listed;
  int32_t row(int32_t i) const {
    return listed ? (*listed)[static_cast<size_t>(first + i)] : first + i;
  }
};

// The first n_tokens tokens of a sequence stand in a kept prefix.
struct KeptPart {
  int32_t kept = -1;
  int32_t n_tokens = 0;
};

struct Trie {
  std::vector<Token> ids;          // (n_rows)
  std::vector<int32_t> positions;  // (n_rows)
  std::vector<Run> runs;           // parents before children, in row order
  std::vector<int32_t> last_runs;  // (n_seq): the run that holds a sequence's last token
  std::vector<int32_t> last_rows;  // (n_seq): the row of that token
  int64_t n_tokens = 0;            // of the sequences; n_rows where nothing is shared or kept

  int32_t n_rows() const { return static_cast<int32_t>(ids.size()); }

  // The run that holds a row.
  int32_t run_of(int32_t row) const;
  // What the tokens at positions [0, n_tokens) of run `i_run` and its ancestors are, from position
  // 0 on.
  std::vector<Span> chain(int32_t i_run, int32_t n_tokens) const;
  // Where all tokens of a sequence stand.
  std::vector<Span> spans(size_t i_sequence) const;
};

// No sequence may be empty. The rows come in an order that depends on the set of sequences, not on
// theirs. Without sharing each sequence is a run of its own, in the order given. `kept` is empty or
// (n_seq), each less than its sequence.
Trie build_trie(const std::vector<const Sequence*>& sequences, bool shares_prefixes = true,
                const std::vector<KeptPart>& kept = {});

// Tokens two sequences have in common from the start.
size_t n_shared(const std::vector<Token>& a, const std::vector<Token>& b);
inline size_t n_shared(const Sequence& a, const Sequence& b) { return n_shared(a.ids, b.ids); }

// An order, any order, in which sequences with a longer common prefix are closer together.
int compare_ids(const Sequence& a, const Sequence& b);

}  // namespace qwen3_embed
