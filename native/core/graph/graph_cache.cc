#include "core/graph/graph_cache.h"

#include <algorithm>
#include <utility>

namespace qwen3_embed {

std::unique_ptr<WholeGraph> GraphCache::take(const std::vector<int32_t>& key) {
  const auto kept =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) { return one.key == key; });
  if (kept == kept_.end()) return nullptr;
  std::unique_ptr<WholeGraph> graph = std::move(kept->graph);
  n_bytes_ -= graph->n_bytes();
  kept_.erase(kept);
  return graph;
}

void GraphCache::give(std::vector<int32_t> key, std::unique_ptr<WholeGraph> graph) {
  kept_.push_front({std::move(key), std::move(graph)});
  n_bytes_ += kept_.front().graph->n_bytes();
  while (n_bytes_ > most_bytes_) {
    n_bytes_ -= kept_.back().graph->n_bytes();
    kept_.pop_back();
  }
}

void GraphCache::clear() {
  kept_.clear();
  n_bytes_ = 0;
}

}  // namespace qwen3_embed
