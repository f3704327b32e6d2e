// A pack on its way through the network on a device as one graph: planned and built while the
// device may be at another, then started, then waited for.
#pragma once

#include <exception>
#include <memory>
#include <vector>

#include "core/graph/graph_forward.h"
#include "core/graph/whole_graph.h"
#include "core/machine/stopwatch.h"

namespace qwen3_embed {

class WholePass final : public Pass {
 public:
  WholePass(GraphForward& forward, Trie trie, const Pack& pack);
  ~WholePass() override;

  // The first step starts the graph, the second waits for it.
  bool step(const Abort& abort) override;
  bool is_under_way() const override { return state_ == State::started; }
  RowView row(size_t i_sequence) override;

  // Waits, for who needs the device next; what goes wrong is told by this pass's own next step.
  void settle() noexcept;

 private:
  enum class State { planned, failed, started, done };
  void start(const Abort& abort);
  void finish();
  void keep_graph() noexcept;
  bool pads() const;

  GraphForward& forward_;
  const Trie trie_;
  Outputs outputs_;
  PackPlan plan_;
  std::unique_ptr<WholeGraph> graph_;
  State state_ = State::planned;
  std::exception_ptr failure_;
  Stopwatch watch_;
  std::vector<float> embeddings_;  // where the device does not look them up
  std::vector<float> rows_;        // the result
};

}  // namespace qwen3_embed
