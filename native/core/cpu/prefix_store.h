// Keys and values of prefixes that come again: the instruction of every query, a rerank prompt's
// query, a chunk's header. They depend on nothing but the prefix's tokens, so a pass that finds
// them kept gives the bits it would have given by computing them.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "core/machine/memory.h"
#include "core/network/trie.h"
#include "core/road/sequence.h"

namespace qwen3_embed {

// The prefix's keys and values, rotated, of all layers.
struct KeptPrefix {
  KeptPrefix(std::vector<Token> ids, size_t n_layers, int64_t n_kv);

  float* keys(size_t layer) const { return data.floats() + layer * 2 * stride; }
  float* values(size_t layer) const { return keys(layer) + stride; }

  const std::vector<Token> ids;  // (n_tokens)
  const size_t stride;           // floats of one layer's keys
  Buffer data;                   // (n_layers, 2, n_tokens, n_kv)
};

// Any thread may call any of its functions.
class PrefixStore {
 public:
  // Keeps at most max_bytes; 0: nothing.
  PrefixStore(size_t n_layers, int64_t n_kv, size_t max_bytes);

  struct Found {
    std::shared_ptr<const KeptPrefix> prefix;  // null: none
    int32_t n_tokens = 0;                      // of it, and of the sequence: less than it has
  };
  // What is kept of a sequence; most recently used from now on.
  Found find(const Sequence& sequence);

  // The prefix of one of these sequences that is worth keeping while they run: it was seen in an
  // earlier pass, or `next` will need it in a later one, and more of it than is kept. Remembers the
  // sequences.
  struct Worth {
    size_t i_sequence = 0;
    int32_t n_tokens = 0;  // 0: none
  };
  Worth worth_keeping(const std::vector<const Sequence*>& sequences,
                      const std::vector<int32_t>& n_kept, const Sequence* next);

  // Throws std::bad_alloc.
  std::shared_ptr<KeptPrefix> prepare(const Sequence& sequence, int32_t n_tokens) const;
  // Keeps a prefix whose memory is filled; forgets the least recently used ones beyond the bound.
  // Throws std::bad_alloc, and is as it was then.
  void keep(const std::shared_ptr<const KeptPrefix>& prefix);

  size_t n_bytes() const;

 private:
  size_t bytes_of(size_t n_tokens) const;

  const size_t n_layers_;
  const int64_t n_kv_;
  const size_t max_bytes_;

  mutable std::mutex mutex_;
  // All guarded by mutex_.
  size_t n_bytes_ = 0;
  std::list<std::shared_ptr<const KeptPrefix>> kept_;  // most recently used first
  std::deque<std::vector<Token>> seen_;                // beginnings of sequences of earlier passes
};

}  // namespace qwen3_embed
