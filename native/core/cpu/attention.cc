#include "core/cpu/attention.h"

#include <algorithm>

namespace qwen3_embed {

AttentionPlan plan_attention(const Trie& trie, const Tile& tile, bool is_causal, int32_t most) {
  AttentionPlan plan;
  int32_t i_run = trie.run_of(tile.row(0));
  for (int32_t i = 0; i < tile.n;) {
    const int32_t row = tile.row(i);
    auto end_of = [&](int32_t j) {
      const Run& run = trie.runs[static_cast<size_t>(j)];
      return run.row + run.n_tokens;
    };
    while (row >= end_of(i_run)) ++i_run;
    int32_t n = 1;
    while (n < most && i + n < tile.n && tile.row(i + n) == row + n && row + n < end_of(i_run)) ++n;
    Question question;
    question.position = trie.positions[static_cast<size_t>(row)];
    question.first = i;
    question.n = n;
    const Run& run = trie.runs[static_cast<size_t>(i_run)];
    question.n_keys = is_causal ? question.position + n : run.position + run.n_tokens;
    question.spans_begin = static_cast<int32_t>(plan.spans.size());
    const std::vector<Span> chain = trie.chain(i_run, question.n_keys);
    plan.spans.insert(plan.spans.end(), chain.begin(), chain.end());
    question.spans_end = static_cast<int32_t>(plan.spans.size());
    plan.questions.push_back(question);
    i += n;
  }
  // The long ones first, so that no thread is left with one at the end.
  std::stable_sort(plan.questions.begin(), plan.questions.end(),
                   [](const Question& a, const Question& b) {
                     return int64_t{a.n_keys} * a.n > int64_t{b.n_keys} * b.n;
                   });
  return plan;
}

}  // namespace qwen3_embed
