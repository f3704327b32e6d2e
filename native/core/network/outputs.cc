#include "core/network/outputs.h"

#include <algorithm>
#include <cmath>

#include "core/failure.h"

namespace qwen3_embed {
namespace {

std::vector<double> read(const Network& network, const WeightMatrix& matrix, int64_t i_row) {
  Vector row(static_cast<size_t>(matrix.n_in));
  std::vector<uint8_t> bytes;
  read_row(*network.file, matrix, i_row, bytes, row.data());
  return {row.begin(), row.end()};
}

void subtract(std::vector<double>& from, const std::vector<double>& row) {
  for (size_t i = 0; i < row.size(); ++i) from[i] -= row[i];
}

}  // namespace

RankHead::RankHead(const Network& network, Token yes, Token no) {
  const Linear& head = network.head;
  if (head.present()) {
    direction_ = read(network, head.weight, 0);
    if (!head.bias.empty()) bias_ = static_cast<double>(head.bias[0]);
    if (head.weight.n_out == 2) {  // yes and no, in that order (find_head)
      subtract(direction_, read(network, head.weight, 1));
      if (!head.bias.empty()) bias_ -= static_cast<double>(head.bias[1]);
    }
    if (network.head_dense.present()) {
      const auto width = static_cast<size_t>(network.n_embd);
      dense_.resize(width * width);
      std::vector<uint8_t> bytes;
      for (size_t i = 0; i < width; ++i) {
        read_row(*network.file, network.head_dense.weight, static_cast<int64_t>(i), bytes,
                 dense_.data() + i * width);
      }
      dense_bias_ = network.head_dense.bias;
      dense_bias_.resize(width, 0.0f);
    }
    return;
  }
  const WeightMatrix& rows = network.output ? *network.output : network.token_embd;
  if (yes < 0 || no < 0 || yes >= rows.n_out || no >= rows.n_out) {
    throw Failure{Code::model_mismatch,
                  "Expected a reranker but the file has neither cls.output.weight nor the answer "
                  "tokens yes and no.",
                  {},
                  "Download a file converted for ranking."};
  }
  direction_ = read(network, rows, yes);
  subtract(direction_, read(network, rows, no));
}

float RankHead::logit(const float* row) const {
  const size_t width = direction_.size();
  double sum = 0;
  for (size_t i = 0; i < width; ++i) {
    double value = static_cast<double>(row[i]);
    if (!dense_.empty()) {
      value = static_cast<double>(dense_bias_[i]);
      for (size_t k = 0; k < width; ++k)
        value += static_cast<double>(dense_[i * width + k]) * static_cast<double>(row[k]);
      value = std::tanh(value);
    }
    sum += direction_[i] * value;
  }
  return static_cast<float>(sum + bias_);
}

Outputs::Outputs(const Network& network, const Trie& trie, Pooling pooling)
    : n_embd_(static_cast<size_t>(network.n_embd)),
      pooling_(pooling),
      reads_first_(pooling == Pooling::cls || (pooling == Pooling::rank && !network.is_causal)) {
  if (pooling == Pooling::none || pooling == Pooling::mean) return;
  for (size_t i = 0; i < trie.last_rows.size(); ++i) rows_.push_back(pooled_row(trie, i));
  std::sort(rows_.begin(), rows_.end());
  rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
}

int32_t Outputs::pooled_row(const Trie& trie, size_t i_sequence) const {
  return reads_first_ ? trie.spans(i_sequence).front().row : trie.last_rows[i_sequence];
}

const float* Outputs::at(const float* hidden, int32_t row) const {
  const auto index =
      rows_.empty()
          ? row
          : static_cast<int32_t>(std::lower_bound(rows_.begin(), rows_.end(), row) - rows_.begin());
  return hidden + static_cast<size_t>(index) * n_embd_;
}

RowView Outputs::read(const Trie& trie, size_t i_sequence, const float* hidden,
                      const RankHead& head) {
  switch (pooling_) {
    case Pooling::none:
      return gather(trie, i_sequence, hidden);
    case Pooling::mean:
      return mean(trie, i_sequence, hidden);
    case Pooling::rank:
      values_.assign(1, head.logit(at(hidden, pooled_row(trie, i_sequence))));
      return {values_.data(), 1};
    case Pooling::cls:
    case Pooling::last:
      break;
  }
  return {at(hidden, pooled_row(trie, i_sequence)), n_embd_};
}

RowView Outputs::gather(const Trie& trie, size_t i_sequence, const float* hidden) {
  const std::vector<Span> spans = trie.spans(i_sequence);
  if (spans.size() == 1) {
    return {at(hidden, spans[0].row), static_cast<size_t>(spans[0].n_tokens) * n_embd_};
  }
  values_.clear();
  for (const Span& span : spans) {
    const float* from = at(hidden, span.row);
    values_.insert(values_.end(), from, from + static_cast<size_t>(span.n_tokens) * n_embd_);
  }
  return {values_.data(), values_.size()};
}

RowView Outputs::mean(const Trie& trie, size_t i_sequence, const float* hidden) {
  std::vector<double> sum(n_embd_, 0);
  size_t n_tokens = 0;
  for (const Span& span : trie.spans(i_sequence)) {
    for (int32_t k = 0; k < span.n_tokens; ++k, ++n_tokens) {
      const float* row = at(hidden, span.row + k);
      for (size_t j = 0; j < n_embd_; ++j) sum[j] += static_cast<double>(row[j]);
    }
  }
  values_.resize(n_embd_);
  for (size_t j = 0; j < n_embd_; ++j)
    values_[j] = static_cast<float>(sum[j] / static_cast<double>(n_tokens));
  return {values_.data(), n_embd_};
}

}  // namespace qwen3_embed
