#include "core/packed/outputs.h"

#include <algorithm>

#include "core/failure.h"

namespace qwen3_embed {
namespace {

std::vector<double> read(const WeightMatrix& matrix, int64_t i_row) {
  Vector row(static_cast<size_t>(matrix.n_in));
  Weights::read_row(matrix, i_row, row.data());
  return {row.begin(), row.end()};
}

void subtract(std::vector<double>& from, const std::vector<double>& row) {
  for (size_t i = 0; i < row.size(); ++i) from[i] -= row[i];
}

}  // namespace

RankHead::RankHead(const Weights& weights, Token yes, Token no) {
  if (weights.cls()) {
    // The rows are yes and no, in that order (read_facts).
    direction_ = read(*weights.cls(), 0);
    subtract(direction_, read(*weights.cls(), 1));
    return;
  }
  const WeightMatrix& rows = weights.output() ? *weights.output() : weights.token_embd();
  if (yes < 0 || no < 0 || yes >= rows.n_out || no >= rows.n_out) {
    throw Failure{Code::model_mismatch,
                  "Expected a reranker but the file has neither cls.output.weight nor the answer "
                  "tokens yes and no. "
                  "Download a file converted for ranking.",
                  {}};
  }
  direction_ = read(rows, yes);
  subtract(direction_, read(rows, no));
}

float RankHead::logit(const float* row) const {
  double sum = 0;
  for (size_t i = 0; i < direction_.size(); ++i) sum += direction_[i] * static_cast<double>(row[i]);
  return static_cast<float>(sum);
}

std::vector<int32_t> output_rows(const Trie& trie, Pooling pooling) {
  std::vector<int32_t> rows;
  if (pooling == Pooling::none || pooling == Pooling::mean) return rows;
  if (pooling == Pooling::cls) {
    for (size_t i = 0; i < trie.last_rows.size(); ++i) rows.push_back(trie.spans(i).front().row);
  } else {
    rows = trie.last_rows;
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

void deliver_rows(const Trie& trie, Pooling pooling, const std::vector<int32_t>& rows,
                  const float* hidden, int n_embd, const RankHead& head, const RowSink& sink) {
  const auto width = static_cast<size_t>(n_embd);
  auto at = [&](int32_t row) {
    const auto index =
        rows.empty()
            ? row
            : static_cast<int32_t>(std::lower_bound(rows.begin(), rows.end(), row) - rows.begin());
    return hidden + static_cast<size_t>(index) * width;
  };
  std::vector<float> gathered;
  std::vector<double> sum;
  for (size_t i = 0; i < trie.last_rows.size(); ++i) {
    switch (pooling) {
      case Pooling::last:
        sink(i, at(trie.last_rows[i]), width);
        break;
      case Pooling::cls:
        sink(i, at(trie.spans(i).front().row), width);
        break;
      case Pooling::rank: {
        const float logit = head.logit(at(trie.last_rows[i]));
        sink(i, &logit, 1);
        break;
      }
      case Pooling::none: {
        const std::vector<Span> spans = trie.spans(i);
        if (spans.size() == 1) {
          sink(i, at(spans[0].row), static_cast<size_t>(spans[0].n_tokens) * width);
          break;
        }
        gathered.clear();
        for (const Span& span : spans) {
          gathered.insert(gathered.end(), at(span.row),
                          at(span.row) + static_cast<size_t>(span.n_tokens) * width);
        }
        sink(i, gathered.data(), gathered.size());
        break;
      }
      case Pooling::mean: {
        sum.assign(width, 0);
        size_t n_tokens = 0;
        for (const Span& span : trie.spans(i)) {
          for (int32_t k = 0; k < span.n_tokens; ++k, ++n_tokens) {
            const float* row = at(span.row + k);
            for (size_t j = 0; j < width; ++j) sum[j] += static_cast<double>(row[j]);
          }
        }
        gathered.resize(width);
        for (size_t j = 0; j < width; ++j)
          gathered[j] = static_cast<float>(sum[j] / static_cast<double>(n_tokens));
        sink(i, gathered.data(), width);
        break;
      }
    }
  }
}

}  // namespace qwen3_embed
