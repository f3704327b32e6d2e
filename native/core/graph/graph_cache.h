// Graphs that were run, kept with their memory for packs of the same shape: nothing is built or
// allocated for those, and a device that records what a graph launches (CUDA) meets the same graph
// again.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "core/graph/whole_graph.h"

namespace qwen3_embed {

class GraphCache {
 public:
  explicit GraphCache(size_t most_bytes) : most_bytes_(most_bytes) {}

  // Lent until it is given back; null: there is none, or it is lent already.
  std::unique_ptr<WholeGraph> take(const std::vector<int32_t>& key);
  // Those that were used longest ago go where memory ends.
  void give(std::vector<int32_t> key, std::unique_ptr<WholeGraph> graph);
  void clear();
  size_t n_bytes() const { return n_bytes_; }  // of those that are not lent

 private:
  struct Kept {
    std::vector<int32_t> key;
    std::unique_ptr<WholeGraph> graph;
  };
  std::list<Kept> kept_;  // the latest used first
  const size_t most_bytes_;
  size_t n_bytes_ = 0;
};

}  // namespace qwen3_embed
