#include "core/train/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/train/rows.h"

namespace qwen3_embed {
namespace {

using Doubles = std::vector<double>;

QWEN3_WIDE double dot(const double* a, const double* b, int64_t n) {
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int64_t j = 0; j < 8; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

QWEN3_WIDE void add_scaled(double scale, const double* from, int64_t n, double* to) {
  for (int64_t k = 0; k < n; ++k) to[k] += scale * from[k];
}

// One number of dimensions: unit vectors of the rows, a weight for every pair of them, and back.
class Level {
 public:
  Level(const LossOptions& options, const LossBatch& batch, int64_t n_dims)
      : options_(options),
        batch_(batch),
        n_dims_(n_dims),
        n_(batch.queries.size()),
        n_documents_(batch.documents.size()),
        unit_(batch.rows.size() * static_cast<size_t>(n_dims)),
        length_(batch.rows.size()),
        slope_(static_cast<size_t>(batch.n_trained) * static_cast<size_t>(n_dims)) {
    for (size_t r = 0; r < batch.rows.size(); ++r) {
      const float* row = batch.rows[r];
      double sum = 0;
      for (int64_t k = 0; k < n_dims_; ++k) sum += double{row[k]} * double{row[k]};
      length_[r] = std::sqrt(sum);
      double* unit = this->unit(static_cast<int32_t>(r));
      for (int64_t k = 0; k < n_dims_; ++k)
        unit[k] = length_[r] > 0 ? double{row[k]} / length_[r] : 0;
    }
    for (size_t d = 0; d < n_documents_; ++d) {
      const LossDocument& document = batch.documents[d];
      if (document.is_positive && document.example >= 0) {
        if (positives_.size() <= static_cast<size_t>(document.example))
          positives_.resize(static_cast<size_t>(document.example) + 1);
        positives_[static_cast<size_t>(document.example)] = d;
      }
    }
  }

  double run(double weight, float* gradients) {
    double loss = 0;
    for (size_t i = 0; i < n_; ++i) loss += example(i, weight);
    for (int32_t r = 0; r < batch_.n_trained; ++r) add_gradient(r, gradients);
    return loss / static_cast<double>(n_);
  }

 private:
  struct Term {
    int32_t a, b;  // rows
    double score;
  };

  double* unit(int32_t row) {
    return unit_.data() + static_cast<size_t>(row) * static_cast<size_t>(n_dims_);
  }
  double score(int32_t a, int32_t b) { return dot(unit(a), unit(b), n_dims_); }

  // The terms of Z that count, the positive first.
  void collect(size_t i) {
    terms_.clear();
    const int32_t query = batch_.queries[i];
    const LossDocument& positive = batch_.documents[positives_[i]];
    const double own = score(query, positive.row);
    const double most = own + options_.margin;
    terms_.push_back({query, positive.row, own});
    for (size_t j = 0; j < n_ && options_.queries; ++j) {
      if (j == i) continue;
      const double s = score(query, batch_.queries[j]);
      if (s <= most) terms_.push_back({query, batch_.queries[j], s});
    }
    const auto me = static_cast<int32_t>(i);
    for (const LossDocument& document : batch_.documents) {
      const bool is_own = document.example == me;
      if (is_own && document.is_positive) continue;
      if (!is_own && !document.is_positive && !options_.other_negatives && document.example >= 0)
        continue;
      if (document.text == positive.text) continue;
      const double s = score(query, document.row);
      if (s <= most) terms_.push_back({query, document.row, s});
      if (is_own || document.example < 0 || !options_.pairs) continue;
      const double pair = score(positive.row, document.row);
      const bool counts = options_.pair_mask == LossOptions::PairMask::none ||
                          (options_.pair_mask == LossOptions::PairMask::query ? s : pair) <= most;
      if (counts) terms_.push_back({positive.row, document.row, pair});
    }
  }

  double example(size_t i, double weight) {
    collect(i);
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (const Term& term : terms_) largest = std::max(largest, term.score);
    for (const Term& term : terms_) sum += std::exp((term.score - largest) / options_.temperature);
    const double scale = weight / (static_cast<double>(n_) * options_.temperature);
    for (size_t t = 0; t < terms_.size(); ++t) {
      const Term& term = terms_[t];
      const double share = std::exp((term.score - largest) / options_.temperature) / sum;
      const double slope = scale * (share - (t == 0 ? 1 : 0));
      add(term.a, term.b, slope);
      add(term.b, term.a, slope);
    }
    return (largest - terms_[0].score) / options_.temperature + std::log(sum);
  }

  // By the unit vector of row a: slope times that of b.
  void add(int32_t a, int32_t b, double slope) {
    if (a >= batch_.n_trained) return;
    add_scaled(slope, unit(b), n_dims_,
               slope_.data() + static_cast<size_t>(a) * static_cast<size_t>(n_dims_));
  }

  // Through the normalisation: (g - (g · u) u) / length.
  void add_gradient(int32_t r, float* gradients) {
    const auto row = static_cast<size_t>(r);
    if (!(length_[row] > 0)) return;
    const double* g = slope_.data() + row * static_cast<size_t>(n_dims_);
    const double* u = unit(r);
    const double along = dot(g, u, n_dims_);
    float* to = gradients + row * static_cast<size_t>(batch_.n_embd);
    for (int64_t k = 0; k < n_dims_; ++k)
      to[k] += static_cast<float>((g[k] - along * u[k]) / length_[row]);
  }

  const LossOptions& options_;
  const LossBatch& batch_;
  const int64_t n_dims_;
  const size_t n_, n_documents_;
  Doubles unit_, length_, slope_;
  std::vector<size_t> positives_;  // (n): of each example, in documents
  std::vector<Term> terms_;        // of one example
};

}  // namespace

double contrastive_loss(const LossOptions& options, const LossBatch& batch, float* gradients) {
  const double weight = 1 / static_cast<double>(options.dims.size());
  double loss = 0;
  for (const int32_t n_dims : options.dims)
    loss += weight * Level(options, batch, n_dims).run(weight, gradients);
  return loss;
}

double pair_loss(double score, bool is_positive, double& slope) {
  const double towards = is_positive ? score : -score;
  // log(1 + e^-x), for any x.
  const double loss =
      towards > 0 ? std::log1p(std::exp(-towards)) : -towards + std::log1p(std::exp(towards));
  const double sigma = 1 / (1 + std::exp(-score));
  slope = sigma - (is_positive ? 1 : 0);
  return loss;
}

}  // namespace qwen3_embed
