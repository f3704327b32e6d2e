// What a pass reads off its last hidden states: which rows it needs, and what a sequence gets of
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/file/weights.h"
#include "core/packed/trie.h"
#include "core/road/forward.h"

namespace qwen3_embed {

// Reranking from one or two rows: the difference of the answers' logits is one dot product.
class RankHead {
 public:
  RankHead() = default;
  // cls.output.weight, else the yes and no rows of output.weight, else of token_embd.weight. Throws
  // Failure model_mismatch where there is nothing to rank with.
  RankHead(const Weights& weights, Token yes, Token no);

  bool empty() const { return direction_.empty(); }
  float logit(const float* row) const;

 private:
  std::vector<double> direction_;  // (n_embd): yes minus no
};

// The rows of `trie` that `pooling` reads, ascending, each once. Empty: all of them.
std::vector<int32_t> output_rows(const Trie& trie, Pooling pooling);

// Calls `sink` for every sequence. `hidden` holds the final-normed rows listed in `rows` (all if
// empty). (n, n_embd)
void deliver_rows(const Trie& trie, Pooling pooling, const std::vector<int32_t>& rows,
                  const float* hidden, int n_embd, const RankHead& head, const RowSink& sink);

}  // namespace qwen3_embed
