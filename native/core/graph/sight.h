// Who sees whom, as whole numbers: where a graph finds its lists of rows among its indices, and of
// what size they are. Graphs of equal shapes are equal.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/indices.h"
#include "core/graph/streams.h"

namespace qwen3_embed {

struct BinShape {
  int32_t n_streams = 0, n_q = 0, n_keys = 0;
  bool gathers = false;  // else queries and keys are the rows as they stand
  Slice queries, keys;
  int32_t n_masks = 0;  // 0: all is seen
  // Of n_masks · n_q queries: their rows of the MaskTable. Empty: query q sees first_seen + q keys.
  Slice seen;
  int32_t first_seen = 0;
};

struct SightShape {
  std::vector<BinShape> bins;
  bool gathers = false;
  Slice answers;

  int32_t most_keys() const;
  void add_to(std::vector<int32_t>& key) const;
};

// `n_asked`: with those that fill up.
SightShape make_sight(const Streams& streams, int32_t n_asked, Indices& indices);

}  // namespace qwen3_embed
