// The contrastive loss of the Qwen3 Embedding paper (its Eq. 1) over the rows of one batch, with
// its gradient. For query i with positive p, own hard negatives n_k, cosines s and temperature τ
//
//   Z = e^{s(q,p)/τ}                                   its positive
//     + Σ_k m e^{s(q,n_k)/τ}                           its hard negatives
//     + Σ_{j≠i} m e^{s(q_i,q_j)/τ}                     other queries
//     + Σ_d m e^{s(p,d)/τ}                             its positive beside others' documents
//     + Σ_d m e^{s(q,d)/τ}                             others' documents, and the bank
//   L = mean of -log(e^{s(q,p)/τ} / Z)
//
// m is 0 for what is more similar than s(q,p) + margin, which is likely an unmarked answer, and for
// a document that is the positive's own text. Sums are double.
#pragma once

#include <cstdint>
#include <vector>

namespace qwen3_embed {

struct LossOptions {
  // Whose score decides whether a pair of documents counts: the query's with the other document,
  // the pair's own, or none.
  enum class PairMask { query, own, none };

  double temperature = 0.03;
  double margin = 0.1;
  std::vector<int32_t> dims;  // leading values of a row that are judged; the mean of all counts
  PairMask pair_mask = PairMask::query;
  bool queries = true;          // other queries are compared with
  bool pairs = true;            // positives beside others' documents are
  bool other_negatives = true;  // hard negatives of others count as documents
};

struct LossDocument {
  int32_t row;      // in LossBatch::rows
  int32_t text;     // equal for equal texts
  int32_t example;  // whose it is; -1: of the bank, nobody's
  bool is_positive;
};

struct LossBatch {
  int64_t n_embd = 0;
  std::vector<const float*> rows;       // each (n_embd), of any length
  std::vector<int32_t> queries;         // (n): row of each example's query
  std::vector<LossDocument> documents;  // of each example its positive first
  int32_t n_trained = 0;                // rows before this one get a gradient
};

// The loss; adds its gradient by rows[i] to gradients[i]. (n_trained, n_embd)
double contrastive_loss(const LossOptions& options, const LossBatch& batch, float* gradients);

// The reranker's: -log P(the label) of one pair whose score is logit(yes) - logit(no); `slope` is
// the derivative by the score.
double pair_loss(double score, bool is_positive, double& slope);

}  // namespace qwen3_embed
