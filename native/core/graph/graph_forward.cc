#include "core/graph/graph_forward.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/failure.h"
#include "core/graph/ladder.h"
#include "core/graph/tiled_pass.h"
#include "core/graph/whole_pass.h"
#include "core/network/checks.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"

namespace qwen3_embed {
namespace {

// Rows that go through a block together, of packs that are not one graph as a whole.
constexpr int kTile = 2048;
constexpr int kMaxSequences = 4096;
// Without flash attention the scores of all heads of a tile are one tensor: no more values than
// this.
constexpr int64_t kMostScores = int64_t{1} << 26;
// Packs with longer texts go in tiles: the table of masks for so many keys has 128 MiB.
constexpr int32_t kMostKeys = 8192;
// Of kept graphs: some 10 of short texts through 0.6B, 6 of 8B.
constexpr size_t kCacheBytes = size_t{128} << 20;

}  // namespace

GraphForward::GraphForward(std::shared_ptr<const Network> network, const PackedOptions& options)
    : network_(std::move(network)),
      tile_(options.tile),
      pads_(options.pads.value_or(options.device != nullptr)),
      device_(options.device, options.n_threads),
      cache_(kCacheBytes) {
  if (options.ranks) head_ = RankHead(*network_, options.yes, options.no);
  const bool embeds = options.device != nullptr || options.portable_graph;
  weights_ = std::make_unique<GraphWeights>(*network_, device_, embeds, options.device_weights);
  allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(device_.backend())));
  if (!allocator_) throw std::bad_alloc();
  kept_masks_ = std::make_shared<MaskTable>(device_, kMostPaddedRows);
  masks_ = kept_masks_;
  limits_.n_embd = network_->n_embd;
  limits_.max_tokens = options.max_tokens;
  limits_.budget = options.budget;
  limits_.max_sequences = kMaxSequences;
  limits_.shares_prefixes = network_->is_causal;
  limits_.tells_queries = network_->tells_queries();
  limits_.device = device_.name();
  limits_.kernels = "ggml";
  limits_.weights = options.device_weights == DeviceWeights::bf16  ? "bf16"
                    : options.device_weights == DeviceWeights::f16 ? "f16"
                                                                   : "file";
  choose_attention(options);
  weights_->fill(device_, options.abort_load, options.on_progress);
  device_.traffic = {};
}

// Not every device can do every operation with every type; better said now than in the middle of a
// pass.
void GraphForward::choose_attention(const PackedOptions& options) {
  for (const bool flash : {true, false}) {
    if (flash && !options.flash.value_or(options.device != nullptr)) continue;
    flash_ = flash;
    blocks_ = std::make_unique<GraphBlocks>(*network_, *weights_, flash);
    const char* operation = unsupported_operation();
    if (operation == nullptr) return;
    if (flash) continue;
    const bool is_file = options.device_weights == DeviceWeights::file;
    throw Failure{Code::model_unsupported,
                  limits_.device + " cannot do " + operation + " with " +
                      (is_file ? "the weights of this file." : "these gpuWeights."),
                  {},
                  is_file ? "Use a file of another quantisation, or gpu: false."
                          : "Load with gpuWeights: 'file'."};
  }
}

const char* GraphForward::unsupported_operation() {
  // Texts of two lengths that are not attended together and one alone, filled up and not: every
  // kind of node is there.
  const Sequence longer{std::vector<Token>(200, 0)}, shorter{{1, 0}};
  for (const std::vector<const Sequence*>& sequences :
       {std::vector<const Sequence*>{&longer, &shorter}, {&longer}}) {
    const Trie trie = build_trie(sequences, network_->is_causal);
    for (const bool pads : {true, false}) {
      const PackPlan plan =
          plan_pack(trie, {trie.n_rows() - 1}, network_->blocks.size(), false, stream_rules(pads));
      const std::unique_ptr<WholeGraph> graph = graph_of(plan.shape, pads);
      for (int i = 0; i < ggml_graph_n_nodes(graph->graph()); ++i) {
        ggml_tensor* node = ggml_graph_node(graph->graph(), i);
        if (!device_.supports(node)) return ggml_op_desc(node);
      }
    }
  }
  return nullptr;
}

StreamRules GraphForward::stream_rules(bool pads) const {
  // CUDA's fast kernels want 256 keys or a multiple, and find a stream's mask by its number.
  return {network_->is_causal, flash_ ? 256 : 1, device_.is_cuda(), pads};
}

int32_t GraphForward::tile_rows(int32_t n_rows) const {
  // The budget says for how many rows a device has memory.
  const int whole = std::max(kTile, limits_.budget);
  if (flash_) return tile_ > 0 ? tile_ : n_rows <= whole ? whole : kTile;
  const int64_t fit = kMostScores / (int64_t{network_->n_head} * n_rows);
  return static_cast<int32_t>(std::clamp<int64_t>(fit, 1, tile_ > 0 ? tile_ : kTile));
}

std::unique_ptr<Pass> GraphForward::begin(const Pack& pack) {
  check_pack(pack, limits_, network_->token_embd.n_out, head_);
  try {
    Trie trie = build_trie(pack.sequences, network_->is_causal);
    const int32_t longest = *std::max_element(trie.positions.begin(), trie.positions.end()) + 1;
    const int32_t tile = tile_rows(trie.n_rows());
    if (trie.n_rows() <= tile && longest <= kMostKeys)
      return std::make_unique<WholePass>(*this, std::move(trie), pack);
    return std::make_unique<TiledPass>(*this, std::move(trie), pack, std::min(tile, kTile));
  } catch (const std::bad_alloc&) {
    throw out_of_memory(n_tokens(pack));
  }
}

std::unique_ptr<WholeGraph> GraphForward::graph_of(const PackShape& shape, bool is_kept) {
  if (is_kept) {
    if (std::unique_ptr<WholeGraph> graph = cache_.take(shape.key())) return graph;
  }
  auto graph = std::make_unique<WholeGraph>(*network_, *weights_, *blocks_, shape,
                                            masks(shape.most_keys(), is_kept));
  device_.traffic.n_nodes += ggml_graph_n_nodes(graph->graph());
  return graph;
}

std::shared_ptr<const MaskTable> GraphForward::masks(int32_t n_keys, bool is_kept) {
  if (is_kept) return kept_masks_;
  if (n_keys > masks_->n()) {
    int32_t n = masks_->n();
    while (n < n_keys) n *= 2;
    masks_ = std::make_shared<MaskTable>(device_, n);
  }
  return masks_;
}

void GraphForward::keep(std::vector<int32_t> key, std::unique_ptr<WholeGraph> graph) {
  cache_.give(std::move(key), std::move(graph));
}

void GraphForward::prepare(WholeGraph& graph, bool is_kept) {
  if (!is_kept) return prepare(graph.graph());
  if (under_way_ != nullptr) under_way_->settle();
  if (!graph.is_allocated()) allocate_at_all([&] { graph.allocate(device_); });
}

void GraphForward::prepare(ggml_cgraph* graph) {
  if (under_way_ != nullptr) under_way_->settle();
  allocate_at_all([&] { device_.allocate(allocator_.get(), graph); });
}

template <typename Allocate>
void GraphForward::allocate_at_all(const Allocate& allocate) {
  try {
    allocate();
  } catch (const std::bad_alloc&) {
    if (cache_.n_bytes() == 0) throw;
    cache_.clear();
    allocate();
  }
}

void GraphForward::add(const ForwardTimes& times) {
  times_.n_packs += times.n_packs;
  times_.n_tokens += times.n_tokens;
  times_.n_tokens_run += times.n_tokens_run;
  times_.products_ms += times.products_ms;
}

std::vector<float> embeddings_from_file(const Network& network, const Trie& trie) {
  const auto width = static_cast<size_t>(network.n_embd);
  std::vector<float> rows(static_cast<size_t>(trie.n_rows()) * width), extra(width);
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < trie.ids.size(); ++i) {
    float* x = rows.data() + i * width;
    read_row(*network.file, network.token_embd, trie.ids[i], bytes, x);
    for (size_t k = 0; k < network.token_type.size(); ++k) x[k] += network.token_type[k];
    if (network.position_embd.n_out == 0) continue;
    read_row(*network.file, network.position_embd, trie.positions[i], bytes, extra.data());
    for (size_t k = 0; k < width; ++k) x[k] += extra[k];
  }
  network.file->check_unchanged();
  return rows;
}

}  // namespace qwen3_embed
