#include "core/graph/streams.h"

#include <algorithm>
#include <limits>

#include "core/graph/ladder.h"

namespace qwen3_embed {
namespace {

constexpr float kUnseen = -std::numeric_limits<float>::infinity();

// One run of the trie and which of its rows are asked.
struct Stream {
  int32_t i_run;
  std::vector<int32_t> asked;      // indices of asked rows
  std::vector<int32_t> positions;  // of them
  std::vector<int32_t> keys;       // rows, from position 0 on
};

std::vector<Stream> streams_of(const Trie& trie, const Tile& asked, bool is_causal) {
  std::vector<Stream> streams;
  for (int32_t i = 0; i < asked.n; ++i) {
    const int32_t row = asked.row(i), i_run = trie.run_of(row);
    if (streams.empty() || streams.back().i_run != i_run) streams.push_back({i_run, {}, {}, {}});
    streams.back().asked.push_back(i);
    streams.back().positions.push_back(trie.positions[static_cast<size_t>(row)]);
  }
  for (Stream& stream : streams) {
    const Run& run = trie.runs[static_cast<size_t>(stream.i_run)];
    const int32_t n_keys = is_causal ? stream.positions.back() + 1 : run.position + run.n_tokens;
    for (const Span& span : trie.chain(stream.i_run, n_keys)) {
      for (int32_t k = 0; k < span.n_tokens; ++k) stream.keys.push_back(span.row + k);
    }
  }
  return streams;
}

int32_t filled_up(int32_t n, const StreamRules& rules) {
  if (rules.pads) return filled_rows(n);
  return n < rules.key_multiple
             ? n
             : (n + rules.key_multiple - 1) / rules.key_multiple * rules.key_multiple;
}

// Rows that fill a padded pack up stand behind it and are its last again.
int32_t filled(const std::vector<int32_t>& values, int32_t i, bool counts_on) {
  const auto n = static_cast<int32_t>(values.size());
  return i < n ? values[static_cast<size_t>(i)] : counts_on ? i : values.back();
}

bool counts_up(const std::vector<int32_t>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != static_cast<int32_t>(i)) return false;
  }
  return true;
}

// `alone`: the streams are one and all of the pack.
StreamBin make_bin(const std::vector<Stream>& streams, const StreamRules& rules, bool alone) {
  StreamBin bin{};
  const auto n_streams = static_cast<int32_t>(streams.size());
  bin.n_streams = rules.pads ? filled_streams(n_streams) : n_streams;
  size_t n_keys = 0, n_q = 0;
  bool all_equal = true;
  for (const Stream& stream : streams) {
    n_keys = std::max(n_keys, stream.keys.size());
    n_q = std::max(n_q, stream.asked.size());
    all_equal = all_equal && stream.positions == streams.front().positions &&
                stream.keys.size() == streams.front().keys.size();
  }
  bin.n_q = rules.pads ? filled_rows(static_cast<int32_t>(n_q)) : static_cast<int32_t>(n_q);
  bin.n_keys = filled_up(static_cast<int32_t>(n_keys), rules);
  bool all_seen = !rules.is_causal && !rules.pads;
  for (int32_t i = 0; i < bin.n_streams; ++i) {
    const Stream& stream = streams[static_cast<size_t>(std::min(i, n_streams - 1))];
    all_seen = all_seen && stream.keys.size() == static_cast<size_t>(bin.n_keys);
    for (int32_t q = 0; q < bin.n_q; ++q) bin.queries.push_back(filled(stream.asked, q, alone));
    const bool keys_go_on = alone && counts_up(stream.keys);
    for (int32_t k = 0; k < bin.n_keys; ++k) bin.keys.push_back(filled(stream.keys, k, keys_go_on));
  }
  if (all_seen) return bin;
  bin.n_masks = all_equal && !rules.masks_each && !rules.pads ? 1 : bin.n_streams;
  for (int32_t i = 0; i < bin.n_masks; ++i) {
    const Stream& stream = streams[static_cast<size_t>(std::min(i, n_streams - 1))];
    for (int32_t q = 0; q < bin.n_q; ++q) {
      bin.seen.push_back(rules.is_causal ? filled(stream.positions, q, false) + 1
                                         : static_cast<int32_t>(stream.keys.size()));
    }
  }
  return bin;
}

// Longest first. A bin ends where a stream would be filled up by more than a half of itself; short
// streams all go together, since their padding costs less than another bin.
bool fits(const Stream& longest, const Stream& stream) {
  constexpr size_t kShort = 64;
  const size_t most = longest.keys.size(), n = stream.keys.size();
  return most <= kShort || n * 3 >= most * 2;
}

}  // namespace

bool StreamBin::is_plain(int32_t n_asked) const {
  return n_streams == 1 && n_q == n_asked && counts_up(queries) && counts_up(keys);
}

Streams make_streams(const Trie& trie, const Tile& asked, const StreamRules& rules) {
  std::vector<Stream> streams = streams_of(trie, asked, rules.is_causal);
  std::stable_sort(streams.begin(), streams.end(),
                   [](const Stream& a, const Stream& b) { return a.keys.size() > b.keys.size(); });
  Streams result;
  result.answers.resize(static_cast<size_t>(asked.n));
  int32_t n_before = 0;
  for (auto first = streams.begin(); first != streams.end();) {
    const auto end = std::find_if(first, streams.end(), [&](const Stream& stream) {
      return !rules.pads && !fits(*first, stream);
    });
    const std::vector<Stream> together(first, end);
    result.bins.push_back(make_bin(together, rules, rules.pads && trie.runs.size() == 1));
    const StreamBin& bin = result.bins.back();
    for (const Stream& stream : together) {
      for (size_t q = 0; q < stream.asked.size(); ++q) {
        result.answers[static_cast<size_t>(stream.asked[q])] = n_before + static_cast<int32_t>(q);
      }
      n_before += bin.n_q;
    }
    first = end;
  }
  if (rules.pads) {
    const int32_t last = result.answers.back();
    result.answers.resize(static_cast<size_t>(filled_rows(asked.n)), last);
  }
  return result;
}

std::vector<ggml_fp16_t> mask_of(const StreamBin& bin) {
  const ggml_fp16_t unseen = ggml_fp32_to_fp16(kUnseen), seen = ggml_fp32_to_fp16(0);
  std::vector<ggml_fp16_t> mask;
  mask.reserve(bin.seen.size() * static_cast<size_t>(bin.n_keys));
  for (const int32_t n_seen : bin.seen) {
    mask.insert(mask.end(), static_cast<size_t>(n_seen), seen);
    mask.insert(mask.end(), static_cast<size_t>(bin.n_keys - n_seen), unseen);
  }
  return mask;
}

std::vector<ggml_fp16_t> causal_strip(int32_t n_q, int32_t n_rows) {
  const ggml_fp16_t unseen = ggml_fp32_to_fp16(kUnseen), seen = ggml_fp32_to_fp16(0);
  std::vector<ggml_fp16_t> strip;
  strip.reserve(static_cast<size_t>(n_q) * static_cast<size_t>(n_rows + n_q));
  for (int32_t q = 0; q < n_q; ++q) {
    strip.insert(strip.end(), static_cast<size_t>(n_rows + q + 1), seen);
    strip.insert(strip.end(), static_cast<size_t>(n_q - q - 1), unseen);
  }
  return strip;
}

}  // namespace qwen3_embed
