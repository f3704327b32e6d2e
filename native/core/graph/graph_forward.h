// The forward pass as graphs of ggml ops, for every device that is not our own CPU path.
#pragma once

#include <memory>
#include <vector>

#include "core/graph/draft.h"
#include "core/graph/graph_block.h"
#include "core/graph/streams.h"
#include "core/machine/ggml_threads.h"
#include "core/network/make_forward.h"
#include "core/network/outputs.h"
#include "ggml-cpp.h"

namespace qwen3_embed {

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
  ggml_backend_t backend() const { return backend_.get(); }
  // Rows that go through a block together, of a pack of n_rows.
  int32_t tile_rows(int32_t n_rows) const;
  bool flash() const { return flash_; }
  StreamRules stream_rules() const;
  // Gives the draft memory, fills its inputs and computes it.
  void compute(Draft& draft, const Abort& abort);
  void add(const ForwardTimes& times);

  // What passes have cost a device besides arithmetic: for tests, where no device is.
  struct Traffic {
    int64_t n_nodes = 0, n_graphs = 0, n_uploads = 0, n_bytes = 0;
  };
  const Traffic& traffic() const { return traffic_; }

 private:
  void set_up_backend(const PackedOptions& options);
  // The first operation of a pass that the device cannot do, or null.
  const char* unsupported_operation();
  void choose_attention(const PackedOptions& options);

  const std::shared_ptr<const Network> network_;
  const int32_t tile_;  // 0: by the pack
  bool flash_ = false, is_cuda_ = false;
  Limits limits_;
  RankHead head_;
  std::unique_ptr<GgmlThreads> threads_;  // of the backend, where that is the CPU
  ggml_backend_ptr backend_;
  std::unique_ptr<GraphWeights> weights_;
  std::unique_ptr<GraphBlocks> blocks_;
  ggml_gallocr_ptr allocator_;
  const Abort* abort_ = nullptr;  // of the computation under way
  ForwardTimes times_;
  Traffic traffic_;
};

}  // namespace qwen3_embed
