// How a pack is laid out for a device: streams against the trie they are made of, the strip of a
// long text against its tiles, and what a pass costs a device besides arithmetic, since no test has
// one.
#include <cstring>
#include <map>
#include <random>

#include "check.h"
#include "core/graph/graph_forward.h"
#include "core/graph/ladder.h"
#include "core/graph/streams.h"
#include "core/network/network.h"
#include "packed_model.h"
#include "tiny_models.h"

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
    if (rules.pads) {
      CHECK(bin.n_keys == filled_rows(bin.n_keys) && bin.n_q == filled_rows(bin.n_q));
      CHECK(bin.n_streams == filled_streams(bin.n_streams));
      CHECK(streams.bins.size() == 1);
    } else {
      CHECK(bin.n_keys < rules.key_multiple || bin.n_keys % rules.key_multiple == 0);
    }
    CHECK(bin.seen.empty() ||
          bin.seen.size() == static_cast<size_t>(bin.n_masks) * static_cast<size_t>(bin.n_q));
    CHECK(bin.seen.empty() || bin.n_masks == bin.n_streams || !rules.masks_each);
    for (int32_t s = 0; s < bin.n_streams; ++s) {
      std::vector<int32_t> own;
      for (int32_t q = 0; q < bin.n_q; ++q) {
        std::vector<int32_t> seen;
        const int32_t i_mask = bin.n_masks == 1 ? 0 : s;
        for (int32_t k = 0; k < bin.n_keys; ++k) {
          const int32_t key = bin.keys[static_cast<size_t>(s * bin.n_keys + k)];
          own.push_back(key);
          if (bin.seen.empty() || k < bin.seen[static_cast<size_t>(i_mask * bin.n_q + q)])
            seen.push_back(key);
        }
        seen_at[n_before + s * bin.n_q + q] = seen;
      }
      const int32_t first = asked.row(bin.queries[static_cast<size_t>(s * bin.n_q)]);
      for (const int32_t key : own) {
        // Rows behind the pack are its last one again.
        if (rules.pads && trie.runs.size() == 1 && key >= trie.n_rows()) continue;
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
              StreamRules{is_causal, 256, true}, StreamRules{is_causal, 256, false, true}}) {
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

std::unique_ptr<GraphForward> graph_of(int tile, bool pads, const std::string& path = "",
                                       bool flash = true,
                                       DeviceWeights weights = DeviceWeights::file) {
  const Gguf file(path.empty() ? root() + "/models/mini/mini-embed-Q8_0.gguf" : path);
  PackedOptions options;
  options.n_threads = 1;  // more would spin against other tests
  options.budget = 8192;
  options.portable_graph = true;
  options.flash = flash;
  options.pads = pads;
  options.tile = tile;
  options.device_weights = weights;
  auto graph = std::make_unique<GraphForward>(build_network(file, read_facts(file)), options);
  CHECK(graph->flash() == flash);
  return graph;
}

// What one pass costs.
Device::Traffic traffic_of(GraphForward& graph, const std::vector<Sequence>& sequences,
                           const char* what) {
  const Device::Traffic before = graph.device().traffic;
  run(graph, sequences, Pooling::last);
  Device::Traffic cost = graph.device().traffic;
  cost.n_nodes -= before.n_nodes, cost.n_allocations -= before.n_allocations;
  cost.n_graphs -= before.n_graphs, cost.n_uploads -= before.n_uploads;
  cost.n_bytes -= before.n_bytes, cost.n_waits -= before.n_waits;
  std::printf(
      "%s: %lld nodes built, %lld allocations, %lld graphs, %lld uploads of %lld bytes, %lld "
      "waits\n",
      what, static_cast<long long>(cost.n_nodes), static_cast<long long>(cost.n_allocations),
      static_cast<long long>(cost.n_graphs), static_cast<long long>(cost.n_uploads),
      static_cast<long long>(cost.n_bytes), static_cast<long long>(cost.n_waits));
  return cost;
}

std::vector<Sequence> of_length(size_t n, size_t length) {
  std::vector<Sequence> sequences(n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < length; ++k)
      sequences[i].ids.push_back(static_cast<Token>((i * 7 + k) % 900));
  }
  return sequences;
}

void a_pass_costs_a_device_little() {
  const auto graph = graph_of(0, true);
  const Device::Traffic whole = traffic_of(*graph, of_length(64, 128), "64 passages");
  CHECK(whole.n_graphs == 1);
  CHECK(whole.n_nodes <= 4 * 48);
  // Ids, places and lists of rows; embeddings alone would be 8 MB, one mask of all rows 134.
  CHECK(whole.n_uploads == 1);
  CHECK(whole.n_bytes < 256 << 10);
  // For the upload and for the answers.
  CHECK(whole.n_waits == 2);

  const auto tiled = graph_of(64, false);
  const Device::Traffic in_tiles = traffic_of(*tiled, of_length(1, 300), "300 tokens in tiles");
  // The strip goes up once, and no tile's mask with its graph.
  CHECK(in_tiles.n_bytes < 64 << 10);
  CHECK(in_tiles.n_uploads <= in_tiles.n_graphs + 1);
}

// A second query of about the length of the first runs the same graph: nothing is built, nothing
// allocated, and what it gives is what a new graph would, to the bit.
void graphs_come_again() {
  const auto graph = graph_of(0, true);
  const auto query = [](size_t n_tokens) {
    return texts(static_cast<uint32_t>(n_tokens), 1, 1, n_tokens);
  };
  CHECK(traffic_of(*graph, query(17), "a query").n_nodes > 0);
  for (const size_t n_tokens : {20, 31, 17}) {
    const Device::Traffic again = traffic_of(*graph, query(n_tokens), "a query of that bucket");
    CHECK(again.n_nodes == 0 && again.n_allocations == 0);
    CHECK(again.n_graphs == 1 && again.n_uploads == 1 && again.n_waits == 2);
    CHECK(run(*graph, query(n_tokens), Pooling::last) ==
          run(*graph_of(0, true), query(n_tokens), Pooling::last));
  }
  // Of queries for vectors of all tokens, of several texts, of another bucket.
  CHECK(traffic_of(*graph, query(40), "a longer query").n_nodes > 0);
  CHECK(traffic_of(*graph, texts(3, 5, 20, 4), "5 texts").n_nodes > 0);
  CHECK(traffic_of(*graph, texts(3, 5, 20, 4), "the same").n_nodes == 0);
  CHECK(traffic_of(*graph, query(17), "the first again").n_nodes == 0);
  // Longer packs keep nothing.
  CHECK(traffic_of(*graph, of_length(3, 128), "384 rows").n_nodes > 0);
  CHECK(traffic_of(*graph, of_length(3, 128), "384 rows").n_nodes > 0);
}

// Rows that fill up change nothing beyond the order of sums in a product of other width.
void padding_changes_no_answer() {
  const gguf_builder::Folder folder;
  gguf_builder::Size size;
  size.n_embd = 64, size.n_ff = 96, size.head_dim = 32, size.n_ctx = 512;
  const std::string bert = folder.write("bert", gguf_builder::encoder("bert", size).build());
  const std::string euro =
      folder.write("eurobert", gguf_builder::decoder("eurobert", GGML_TYPE_F32, size).build());
  const std::string mini = root() + "/models/mini/mini-embed-Q8_0.gguf";
  for (const std::string& path : {mini, bert, euro}) {
    for (const bool flash : {false, true}) {
      const auto padded = graph_of(0, true, path, flash), plain = graph_of(0, false, path, flash);
      const auto n_ids = static_cast<Token>(plain->network().token_embd.n_out);
      double worst = 0;
      for (uint32_t seed = 0; seed < 6; ++seed) {
        std::vector<Sequence> sequences = texts(seed, 1 + seed % 4, 40, seed % 3 * 5);
        for (Sequence& sequence : sequences) {
          for (Token& id : sequence.ids) id %= n_ids;
        }
        for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::none}) {
          const Rows a = run(*padded, sequences, pooling), b = run(*plain, sequences, pooling);
          for (size_t i = 0; i < a.size(); ++i) {
            CHECK(a[i].size() == b[i].size());
            worst = std::max(worst, 1 - cosine(a[i], b[i]));
          }
        }
      }
      std::printf("%s: padded against unpadded, 1 - cosine %.2g\n", flash ? "flash" : "products",
                  worst);
      // Measured: 2e-13 with weights of 32 bits; 3.4e-8 where activations are rounded to 8 bits,
      // which another order of sums tips; 1.2e-6 with the CPU's flash attention, of 16 bits.
      CHECK(worst < (flash ? 1e-5 : path == mini ? 1e-6 : 1e-12));
    }
  }
}

// Two packs of one shape at a time have a graph each, whatever order they are stepped in.
void passes_are_stepped_in_any_order() {
  const std::vector<Sequence> a = texts(1, 1, 1, 20), b = texts(2, 1, 1, 25), c = of_length(3, 120);
  const auto fresh = graph_of(0, true), graph = graph_of(0, true);
  const Rows expected_a = run(*fresh, a, Pooling::last), expected_b = run(*fresh, b, Pooling::last),
             expected_c = run(*fresh, c, Pooling::last);
  const auto row_of = [](Pass& pass, size_t i = 0) {
    const RowView row = pass.row(i);
    return std::vector<float>(row.values, row.values + row.n_values);
  };
  for (int round = 0; round < 2; ++round) {
    const auto pass_a = graph->begin({pointers(a), Pooling::last});
    const auto pass_b = graph->begin({pointers(b), Pooling::last});
    const auto pass_c = graph->begin({pointers(c), Pooling::last});
    CHECK(pass_a->step({}) && pass_b->step({}) && pass_c->step({}));
    CHECK(!pass_b->step({}) && !pass_a->step({}));
    CHECK(row_of(*pass_a) == expected_a[0] && row_of(*pass_b) == expected_b[0]);
    CHECK(!pass_c->step({}));
    for (size_t i = 0; i < c.size(); ++i) CHECK(row_of(*pass_c, i) == expected_c[i]);
  }
  // One that is dropped under way leaves a graph that works.
  {
    const auto dropped = graph->begin({pointers(a), Pooling::last});
    CHECK(dropped->step({}));
  }
  const auto never_started = graph->begin({pointers(a), Pooling::last});
  CHECK(run(*graph, b, Pooling::last) == expected_b);
  CHECK(traffic_of(*graph, a, "after a pass that was dropped").n_nodes == 0);
}

// Whatever comes, kept graphs stay within their memory, and those used longest ago go.
void kept_graphs_are_bounded() {
  const auto graph = graph_of(0, true);
  const auto make = [&](int32_t n_rows) {
    const std::vector<Sequence> sequences = of_length(1, static_cast<size_t>(n_rows));
    const Trie trie = build_trie(pointers(sequences));
    const PackPlan plan = plan_pack(trie, trie.last_rows, graph->network().blocks.size(), false,
                                    graph->stream_rules(true));
    auto made =
        std::make_unique<WholeGraph>(graph->network(), graph->weights(), graph->blocks(),
                                     plan.shape, std::make_shared<MaskTable>(graph->device(), 256));
    made->allocate(graph->device());
    return std::make_pair(plan.shape.key(), std::move(made));
  };
  auto first = make(16), second = make(32), third = make(48);
  const size_t room = second.second->n_bytes() + third.second->n_bytes();
  GraphCache cache(room);
  cache.give(first.first, std::move(first.second));
  cache.give(second.first, std::move(second.second));
  CHECK(cache.n_bytes() > 0 && cache.n_bytes() <= room);
  auto taken = cache.take(first.first);
  CHECK(taken != nullptr && cache.take(first.first) == nullptr);
  cache.give(first.first, std::move(taken));
  cache.give(third.first, std::move(third.second));  // the second was used before the first
  CHECK(cache.take(second.first) == nullptr && cache.n_bytes() <= room);
  CHECK(cache.take(third.first) != nullptr && cache.take(first.first) != nullptr);
  CHECK(cache.n_bytes() == 0);
}

// Weights made into another type at load: vectors against those of the file's own.
void weights_change_their_type() {
  const std::vector<Sequence> sequences = texts(9, 6, 60, 4);
  const std::string path = root() + "/models/mini/mini-embed-Q8_0.gguf";
  const auto file = graph_of(0, true, path);
  const Rows expected = run(*file, sequences, Pooling::last);
  CHECK(file->weights().blocks[0].q.weight->type == GGML_TYPE_Q8_0);
  for (const DeviceWeights types : {DeviceWeights::bf16, DeviceWeights::f16}) {
    const bool bf16 = types == DeviceWeights::bf16;
    const auto changed = graph_of(0, true, path, true, types);
    for (const GraphBlock& block : changed->weights().blocks) {
      for (const GraphLinear* linear :
           {&block.q, &block.k, &block.v, &block.out, &block.gate, &block.up})
        CHECK(linear->weight->type == (bf16 ? GGML_TYPE_BF16 : GGML_TYPE_F16));
      // Its products leave the range of halves.
      CHECK(block.down.weight->type == GGML_TYPE_BF16);
    }
    CHECK(changed->limits().weights == (bf16 ? "bf16" : "f16"));
    const Rows rows = run(*changed, sequences, Pooling::last);
    double worst = 0;
    for (size_t i = 0; i < rows.size(); ++i)
      worst = std::max(worst, 1 - cosine(rows[i], expected[i]));
    std::printf("%s: 1 - cosine to the file's own weights %.2g\n", bf16 ? "bf16" : "f16", worst);
    CHECK(worst > 0 && worst < 1e-3);
  }
  CHECK(file->limits().weights == "file");
}

// What a half cannot hold is refused, not made infinite.
void weights_beyond_halves_are_refused() {
  const gguf_builder::Folder folder;
  gguf_builder::Size size;
  size.n_embd = 64, size.n_ff = 96, size.head_dim = 32;
  std::string bytes = gguf_builder::qwen3_embedder(GGML_TYPE_F32, size).build();
  const std::string path = folder.write("large.gguf", bytes);
  const Gguf file(path);
  const std::shared_ptr<Network> network = build_network(file, read_facts(file));
  const float large = 1e5F;
  std::memcpy(&bytes[static_cast<size_t>(network->blocks[1].up.weight.offset)], &large,
              sizeof large);
  const std::string changed = folder.write("larger.gguf", bytes);
  Code code{};
  try {
    graph_of(0, true, changed, true, DeviceWeights::f16);
  } catch (const Failure& failure) {
    code = failure.code;
    CHECK(failure.remedy.find("gpuWeights") != std::string::npos);
  }
  CHECK(code == Code::model_unsupported);
  CHECK(graph_of(0, true, changed, true, DeviceWeights::bf16) != nullptr);
}

}  // namespace

int main() {
  load_backends(libraries());
  streams_of_packs();
  a_strip_holds_the_masks_of_all_tiles();
  a_pass_costs_a_device_little();
  graphs_come_again();
  padding_changes_no_answer();
  passes_are_stepped_in_any_order();
  kept_graphs_are_bounded();
  weights_change_their_type();
  weights_beyond_halves_are_refused();
  return check::finish();
}
