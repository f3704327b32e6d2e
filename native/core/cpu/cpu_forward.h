// The forward pass on the CPU: our own crew of threads, kernels of ours or ggml's products, one
// block of the network at a time.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
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
  Crew* crew() override { return &workspace(0).crew(); }
  int n_crews() const override { return static_cast<int>(workspaces_.size()) - 1; }

  // ---- for its passes ----
  Workspace& workspace(int crew) { return *workspaces_[static_cast<size_t>(crew)]; }
  // Keys and values of queries are their own where adapters tell them from documents.
  PrefixStore& prefixes(bool are_queries) {
    return are_queries && limits_.tells_queries ? query_prefixes_ : prefixes_;
  }
  const RankHead& head() const { return head_; }
  // Memory of a pass within the budget is kept for the next one; that of a longer text is given
  // back.
  PassRows take_rows(int crew, int32_t n_rows, int32_t n_outputs);
  void give_back(int crew, PassRows rows) noexcept;
  // From any thread.
  void add(const ForwardTimes& times);

 private:
  // An interactive pass beside a bulk one on crew 0, or one on every other.
  size_t n_spare_rows() const { return 1 + std::max<size_t>(1, workspaces_.size() - 1); }
  int32_t usual_rows() const { return 2 * limits_.budget; }

  void deal_out(const PackedOptions& options);

  std::vector<std::unique_ptr<Workspace>> workspaces_;  // by crew
  RankHead head_;
  PrefixStore prefixes_, query_prefixes_;
  Limits limits_;
  std::vector<int> n_passes_;  // alive, by crew
  std::vector<PassRows> spare_;

  mutable std::mutex mutex_;
  ForwardTimes times_;  // guarded by mutex_
};

}  // namespace qwen3_embed
