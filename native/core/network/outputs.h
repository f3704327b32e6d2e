// What a pass reads off its last hidden states: which rows it needs, and what a sequence gets of
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/network/network.h"
#include "core/network/trie.h"
#include "core/road/forward.h"

namespace qwen3_embed {

// From a row to a logit.
class RankHead {
 public:
  RankHead() = default;
  // cls.output.weight (behind a dense layer and tanh where there is one); else, of a decoder, the
  // yes and no rows of output.weight or of token_embd.weight. Throws Failure model_mismatch where
  // there is nothing to rank with.
  RankHead(const Network& network, Token yes, Token no);

  bool empty() const { return direction_.empty(); }
  float logit(const float* row) const;
  // What a logit is the product of a row with, where no dense layer stands between: (n_embd).
  const std::vector<double>& direction() const { return direction_; }

 private:
  std::vector<double> direction_;  // (n_embd): the head's row, or yes minus no: one dot product
  double bias_ = 0;
  Vector dense_, dense_bias_;  // (n_embd, n_embd), (n_embd); or empty
};

// The rows of one pack that its pooling reads.
class Outputs {
 public:
  Outputs(const Network& network, const Trie& trie, Pooling pooling);

  // Ascending, each once. Empty: all of them.
  const std::vector<int32_t>& rows() const { return rows_; }

  // `hidden` holds the normed states of rows(). (n, n_embd)
  RowView read(const Trie& trie, size_t i_sequence, const float* hidden, const RankHead& head);

 private:
  int32_t pooled_row(const Trie& trie, size_t i_sequence) const;
  const float* at(const float* hidden, int32_t row) const;
  RowView gather(const Trie& trie, size_t i_sequence, const float* hidden);
  RowView mean(const Trie& trie, size_t i_sequence, const float* hidden);

  const size_t n_embd_;
  const Pooling pooling_;
  const bool reads_first_;  // the row that stands for a sequence is that of its first token
  std::vector<int32_t> rows_;
  std::vector<float> values_;  // of the latest read()
};

}  // namespace qwen3_embed
