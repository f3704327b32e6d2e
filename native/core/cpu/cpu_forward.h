// The forward pass on the CPU: our own crew of threads, kernels of ours or ggml's products, one
// block of the network at a time.
#pragma once

#include <memory>
#include <vector>

#include "core/cpu/prefix_store.h"
#include "core/cpu/workspace.h"
#include "core/network/make_forward.h"
#include "core/network/outputs.h"

namespace qwen3_embed {

// What a pass keeps from one step to the next.
struct PassRows {
  Buffer hidden;   // (n_rows, n_embd)
  Buffer outputs;  // (n_outputs, n_embd)
  Buffer k, v;     // (n_rows, n_kv), of one block
};

class CpuForward final : public Forward {
 public:
  CpuForward(std::shared_ptr<const Network> network, const PackedOptions& options);

  const Limits& limits() const override { return limits_; }
  std::unique_ptr<Pass> begin(const Pack& pack) override;
  ForwardTimes times() const override;
  Crew* crew() override { return &workspace_.crew(); }

  // ---- for its passes ----
  Workspace& workspace() { return workspace_; }
  // Keys and values of queries are their own where adapters tell them from documents.
  PrefixStore& prefixes(bool are_queries) {
    return are_queries && limits_.tells_queries ? query_prefixes_ : prefixes_;
  }
  const RankHead& head() const { return head_; }
  // Memory of a pass within the budget is kept for the next one; that of a longer text is given
  // back.
  PassRows take_rows(int32_t n_rows, int32_t n_outputs);
  void give_back(PassRows rows) noexcept;
  void add(const ForwardTimes& times);

 private:
  int32_t usual_rows() const { return 2 * limits_.budget; }

  Workspace workspace_;
  RankHead head_;
  PrefixStore prefixes_, query_prefixes_;
  Limits limits_;
  int n_passes_ = 0;  // alive
  std::vector<PassRows> spare_;
  ForwardTimes times_;
};

}  // namespace qwen3_embed
