// Attention by stream. Weights, norms and products see the rows of a pack one after another;
// attention sees each run of its trie as a stream of its own, beside others of about its length.
// What is asked of a pack of n texts so grows with the sum of their squares, not with the square of
// their sum, and padding lives in attention alone.
#pragma once

#include <cstdint>
#include <vector>

#include "core/network/trie.h"
#include "ggml.h"

namespace qwen3_embed {

// Streams that are attended together: each has n_q queries and sees at most n_keys keys.
struct StreamBin {
  int32_t n_streams, n_q, n_keys;
  // (n_streams, n_q): which of the asked rows; the last again to fill.
  std::vector<int32_t> queries;
  std::vector<int32_t> keys;  // (n_streams, n_keys): rows of the pack, likewise
  // (n_masks, n_q): how many of its stream's keys a query sees; they are the first ones, as keys
  // stand in order of position. Empty: all.
  std::vector<int32_t> seen;
  int32_t n_masks;  // n_streams, or 1 for all

  // Whether both are the rows as they stand, so that nothing has to be gathered.
  bool is_plain(int32_t n_asked) const;
};

// `seen` as 0 or -infinity: (n_masks, n_q, n_keys).
std::vector<ggml_fp16_t> mask_of(const StreamBin& bin);

struct Streams {
  std::vector<StreamBin> bins;
  // (n_asked, filled up): where each asked row's answer stands in the bins' queries, one bin after
  // another.
  std::vector<int32_t> answers;
};

struct StreamRules {
  bool is_causal;
  int32_t key_multiple;  // to which n_keys is filled up, from that length on
  bool masks_each;       // a mask for each stream, even where they are equal
  // Fills everything up to the sizes of ladder.h and puts all streams in one bin. Rows from
  // trie.n_rows() and asked rows from asked.n on are the last one again.
  bool pads = false;
};

// `asked`: rows of the pack whose answers are wanted. Kept prefixes are not known here.
Streams make_streams(const Trie& trie, const Tile& asked, const StreamRules& rules);

// Of a text of n_rows in tiles of n_q: columns [n_rows - first, n_rows + n) of its first n rows are
// the mask of the rows [first, first + n) over all before them. (n_q, n_rows + n_q)
std::vector<ggml_fp16_t> causal_strip(int32_t n_q, int32_t n_rows);

}  // namespace qwen3_embed
