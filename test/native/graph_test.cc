// How a pack is laid out for a device: streams against the trie they are made of, the strip of a
// long text against its tiles, and what a pass costs a device besides arithmetic, since no test has
// one.
#include <map>
#include <random>

#include "check.h"
#include "core/graph/graph_forward.h"
#include "core/graph/streams.h"
#include "core/network/network.h"
#include "packed_model.h"

namespace {

using namespace qwen3_embed;

std::vector<Sequence> texts(uint32_t seed, size_t n, size_t most, size_t n_shared) {
  std::mt19937 random(seed);
  std::vector<Token> head(n_shared);
  for (Token& id : head) id = static_cast<Token>(random() % 900);
  std::vector<Sequence> sequences(n);
  for (Sequence& sequence : sequences) {
    sequence.ids.assign(head.begin(), head.end());
    for (size_t k = 1 + random() % most; k > 0; --k)
      sequence.ids.push_back(static_cast<Token>(random() % 900));
  }
  return sequences;
}

std::vector<const Sequence*> pointers(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> all;
  for (const Sequence& sequence : sequences) all.push_back(&sequence);
  return all;
}

std::vector<int32_t> keys_by_trie(const Trie& trie, int32_t row, bool is_causal) {
  const int32_t i_run = trie.run_of(row);
  const Run& run = trie.runs[static_cast<size_t>(i_run)];
  std::vector<int32_t> keys;
  for (const Span& span : trie.chain(i_run, is_causal ? trie.positions[static_cast<size_t>(row)] + 1
                                                      : run.position + run.n_tokens)) {
    for (int32_t i = 0; i < span.n_tokens; ++i) keys.push_back(span.row + i);
  }
  return keys;
}

bool is_seen(ggml_fp16_t mask) { return ggml_fp16_to_fp32(mask) == 0; }

// Every asked row is answered once, and sees just what the trie says; what fills a stream up is its
// own, so that what is not finite stays where it is.
void streams_say_what_the_trie_says(const Trie& trie, const Tile& asked, const StreamRules& rules) {
  const Streams streams = make_streams(trie, asked, rules);
  std::map<int32_t, std::vector<int32_t>> seen_at;
  int32_t n_before = 0;
  for (const StreamBin& bin : streams.bins) {
    CHECK(bin.n_keys < rules.key_multiple || bin.n_keys % rules.key_multiple == 0);
    CHECK(bin.mask.empty() || bin.mask.size() == static_cast<size_t>(bin.n_masks) *
                                                     static_cast<size_t>(bin.n_q) *
                                                     static_cast<size_t>(bin.n_keys));
    CHECK(bin.mask.empty() || bin.n_masks == bin.n_streams || !rules.masks_each);
    for (int32_t s = 0; s < bin.n_streams; ++s) {
      std::vector<int32_t> own;
      for (int32_t q = 0; q < bin.n_q; ++q) {
        std::vector<int32_t> seen;
        const int32_t i_mask = bin.n_masks == 1 ? 0 : s;
        for (int32_t k = 0; k < bin.n_keys; ++k) {
          const int32_t key = bin.keys[static_cast<size_t>(s * bin.n_keys + k)];
          own.push_back(key);
          if (bin.mask.empty() ||
              is_seen(bin.mask[static_cast<size_t>((i_mask * bin.n_q + q) * bin.n_keys + k)]))
            seen.push_back(key);
        }
        seen_at[n_before + s * bin.n_q + q] = seen;
      }
      const int32_t first = asked.row(bin.queries[static_cast<size_t>(s * bin.n_q)]);
      for (const int32_t key : own) {
        const int32_t i_run = trie.run_of(first);
        const Run& run = trie.runs[static_cast<size_t>(i_run)];
        const std::vector<Span> chain = trie.chain(i_run, run.position + run.n_tokens);
        const bool is_own = std::any_of(chain.begin(), chain.end(), [&](const Span& span) {
          return key >= span.row && key < span.row + span.n_tokens;
        });
        if (!is_own) return CHECK(is_own);
      }
    }
    n_before += bin.n_streams * bin.n_q;
  }
  bool agree = true;
  for (int32_t i = 0; i < asked.n; ++i) {
    agree &= seen_at[streams.answers[static_cast<size_t>(i)]] ==
             keys_by_trie(trie, asked.row(i), rules.is_causal);
  }
  CHECK(agree);
}

void streams_of_packs() {
  for (const bool is_causal : {true, false}) {
    for (const size_t n_shared : {0, 7}) {
      for (const size_t n : {1, 2, 17}) {
        const std::vector<Sequence> sequences = texts(1, n, 300, n_shared);
        const Trie trie = build_trie(pointers(sequences), is_causal);
        const std::vector<int32_t> picked = [&] {
          std::vector<int32_t> rows = trie.last_rows;
          std::sort(rows.begin(), rows.end());
          return rows;
        }();
        for (const StreamRules& rules :
             {StreamRules{is_causal, 1, false}, StreamRules{is_causal, 256, false},
              StreamRules{is_causal, 256, true}}) {
          streams_say_what_the_trie_says(trie, {0, trie.n_rows(), nullptr}, rules);
          streams_say_what_the_trie_says(trie, {trie.n_rows() / 3, trie.n_rows() / 2, nullptr},
                                         rules);
          streams_say_what_the_trie_says(trie, {0, static_cast<int32_t>(picked.size()), &picked},
                                         rules);
        }
      }
    }
  }
}

void a_strip_holds_the_masks_of_all_tiles() {
  constexpr int32_t kRows = 50, kTile = 16;
  const std::vector<ggml_fp16_t> strip = causal_strip(kTile, kRows);
  for (int32_t first = 0; first < kRows; first += kTile) {
    for (int32_t q = 0; q < std::min(kTile, kRows - first); ++q) {
      for (int32_t key = 0; key < first + kTile && key < kRows; ++key) {
        const int32_t column = kRows - first + key;
        CHECK(is_seen(strip[static_cast<size_t>(q * (kRows + kTile) + column)]) ==
              (key <= first + q));
      }
    }
  }
}

GraphForward::Traffic traffic_of(const std::vector<Sequence>& sequences, int tile) {
  const Gguf file(root() + "/models/mini/mini-embed-Q8_0.gguf");
  PackedOptions options;
  options.n_threads = 2;
  options.budget = 8192;
  options.portable_graph = true;
  options.flash = true;
  options.tile = tile;
  GraphForward graph(build_network(file, read_facts(file)), options);
  CHECK(graph.flash());
  const std::unique_ptr<Pass> pass = graph.begin({pointers(sequences), Pooling::last});
  while (pass->step({})) {
  }
  const GraphForward::Traffic traffic = graph.traffic();
  std::printf("%zu texts, tile %d: %lld graphs, %lld nodes, %lld uploads of %lld bytes\n",
              sequences.size(), tile, static_cast<long long>(traffic.n_graphs),
              static_cast<long long>(traffic.n_nodes), static_cast<long long>(traffic.n_uploads),
              static_cast<long long>(traffic.n_bytes));
  return traffic;
}

void a_pass_costs_a_device_little() {
  std::vector<Sequence> passages = texts(2, 64, 1, 0);
  for (size_t i = 0; i < passages.size(); ++i) {
    passages[i].ids.clear();
    for (size_t k = 0; k < 128; ++k)
      passages[i].ids.push_back(static_cast<Token>((i * 7 + k) % 900));
  }
  const GraphForward::Traffic whole = traffic_of(passages, 0);
  CHECK(whole.n_graphs == 1);
  CHECK(whole.n_nodes <= 4 * 48);
  CHECK(whole.n_uploads <= 12);
  // Ids, places and masks of 128 by 128; embeddings alone would be 8 MB, one mask of all rows 134.
  CHECK(whole.n_bytes < 1 << 20);

  std::vector<Sequence> one(1);
  for (int i = 0; i < 300; ++i) one[0].ids.push_back(i % 900);
  const GraphForward::Traffic in_tiles = traffic_of(one, 64);
  // The strip goes up once, and no tile's mask with its graph.
  CHECK(in_tiles.n_bytes < 64 << 10);
}

}  // namespace

int main() {
  load_backends(libraries());
  streams_of_packs();
  a_strip_holds_the_masks_of_all_tiles();
  a_pass_costs_a_device_little();
  return check::finish();
}
