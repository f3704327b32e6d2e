// The forward pass as graphs of ggml ops, for every device that is not our own CPU path.
#pragma once

#include <memory>
#include <vector>

#include "core/graph/device.h"
#include "core/graph/graph_block.h"
#include "core/graph/graph_cache.h"
#include "core/graph/mask_table.h"
#include "core/graph/streams.h"
#include "core/network/make_forward.h"
#include "core/network/outputs.h"
#include "ggml-cpp.h"

namespace qwen3_embed {

class WholePass;

class GraphForward final : public Forward {
 public:
  GraphForward(std::shared_ptr<const Network> network, const PackedOptions& options);

  const Limits& limits() const override { return limits_; }
  std::unique_ptr<Pass> begin(const Pack& pack) override;
  ForwardTimes times() const override { return times_; }

  // ---- for its passes ----
  const Network& network() const { return *network_; }
  const GraphWeights& weights() const { return *weights_; }
  const GraphBlocks& blocks() const { return *blocks_; }
  const RankHead& head() const { return head_; }
  Device& device() { return device_; }
  bool flash() const { return flash_; }
  // Whether short packs are filled up, and their graphs kept.
  bool pads() const { return pads_; }
  StreamRules stream_rules(bool pads) const;

  // A kept graph, or a new one, which has no memory yet.
  std::unique_ptr<WholeGraph> graph_of(const PackShape& shape, bool is_kept);
  // Gives a graph memory: of its own if it is to be kept, else what all others share. Nothing is
  // under way afterwards.
  void prepare(WholeGraph& graph, bool is_kept);
  void prepare(ggml_cgraph* graph);
  void keep(std::vector<int32_t> key, std::unique_ptr<WholeGraph> graph);
  // The pass whose graph was started and not waited for, or null.
  void set_under_way(WholePass* pass) { under_way_ = pass; }
  void add(const ForwardTimes& times);

 private:
  // Rows that go through a block together, of a pack of n_rows.
  int32_t tile_rows(int32_t n_rows) const;
  // The first operation of a pass that the device cannot do, or null.
  const char* unsupported_operation();
  void choose_attention(const PackedOptions& options);
  std::shared_ptr<const MaskTable> masks(int32_t n_keys, bool is_kept);
  // With the memory of kept graphs, where there is no other.
  template <typename Allocate>
  void allocate_at_all(const Allocate& allocate);

  const std::shared_ptr<const Network> network_;
  const int32_t tile_;  // 0: by the pack
  const bool pads_;
  bool flash_ = false;
  Limits limits_;
  RankHead head_;
  Device device_;
  std::unique_ptr<GraphWeights> weights_;
  std::unique_ptr<GraphBlocks> blocks_;
  std::shared_ptr<const MaskTable> masks_, kept_masks_;  // of graphs that are kept: never replaced
  ggml_gallocr_ptr allocator_;
  GraphCache cache_;
  WholePass* under_way_ = nullptr;
  ForwardTimes times_;
};

// Token embeddings with what is added to them, for devices that do not look them up. (n_rows,
// n_embd)
std::vector<float> embeddings_from_file(const Network& network, const Trie& trie);

}  // namespace qwen3_embed
