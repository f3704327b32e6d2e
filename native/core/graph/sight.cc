#include "core/graph/sight.h"

#include <algorithm>

#include "core/graph/ladder.h"

namespace qwen3_embed {
namespace {

bool counts_up(const std::vector<int32_t>& values) {
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[i - 1] + 1) return false;
  }
  return true;
}

}  // namespace

int32_t SightShape::most_keys() const {
  int32_t most = 0;
  for (const BinShape& bin : bins) most = std::max(most, bin.n_keys);
  return most;
}

// Where slices begin follows from the sizes of those before them.
void SightShape::add_to(std::vector<int32_t>& key) const {
  key.push_back(gathers);
  for (const BinShape& bin : bins) {
    for (const int32_t part : {bin.n_streams, bin.n_q, bin.n_keys, int32_t{bin.gathers},
                               bin.n_masks, bin.seen.n, bin.first_seen})
      key.push_back(part);
  }
  key.push_back(-1);
}

SightShape make_sight(const Streams& streams, int32_t n_asked, Indices& indices) {
  SightShape sight;
  sight.gathers = streams.bins.size() != 1 || !streams.bins[0].is_plain(n_asked);
  for (const StreamBin& from : streams.bins) {
    BinShape bin;
    bin.n_streams = from.n_streams, bin.n_q = from.n_q, bin.n_keys = from.n_keys;
    bin.gathers = sight.gathers;
    if (bin.gathers) {
      bin.queries = indices.add(from.queries);
      bin.keys = indices.add(from.keys);
    }
    bin.n_masks = from.seen.empty() ? 0 : from.n_masks;
    // Of a long text alone: its mask is copied, not gathered. Shorter ones may be filled up.
    const bool is_long = bin.n_masks == 1 && bin.n_q > kMostPaddedRows && counts_up(from.seen);
    if (is_long) {
      bin.first_seen = from.seen[0];
    } else if (bin.n_masks > 0) {
      std::vector<int32_t> rows = from.seen;  // of the table
      for (int32_t& row : rows) --row;
      bin.seen = indices.add(rows);
    }
    sight.bins.push_back(bin);
  }
  if (sight.gathers) sight.answers = indices.add(streams.answers);
  return sight;
}

}  // namespace qwen3_embed
