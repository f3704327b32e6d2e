// Which rows see which: the tokens of a tile, cut where runs end, each with the rows of its run and
// ancestors. Rows that are not related never meet, so strangers in a pack cost nothing.
#include <algorithm>
#include <cmath>

#include "core/cpu/cpu_forward.h"

namespace qwen3_embed {

std::vector<PackedCpu::Question> PackedCpu::ask(const Trie& trie, const Tile& tile) {
  const auto most =
      static_cast<int32_t>(kernels::attention_queries(facts_.n_head / facts_.n_head_kv));
  std::vector<Question> questions;
  spans_.clear();
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
    question.spans_begin = static_cast<int32_t>(spans_.size());
    const std::vector<Span> chain = trie.chain(i_run, question.position + n);
    spans_.insert(spans_.end(), chain.begin(), chain.end());
    question.spans_end = static_cast<int32_t>(spans_.size());
    questions.push_back(question);
    i += n;
  }
  // The long ones first, so that no thread is left with one at the end.
  std::stable_sort(questions.begin(), questions.end(), [](const Question& a, const Question& b) {
    return int64_t{a.position + a.n} * a.n > int64_t{b.position + b.n} * b.n;
  });
  return questions;
}

void PackedCpu::attend(const Layer& layer, const Trie& trie, const Tile& tile) {
  const std::vector<Question> questions = ask(trie, tile);
  for (std::vector<kernels::KeyRun>& runs : key_runs_) runs.reserve(spans_.size());
  // The result is rounded at once where the product it is for takes rounded rows.
  const bool may_round = layer.wo->rounds_rows();
  // Head by head: the keys of one stay in the cache for the questions of a tile.
  const auto n = static_cast<int64_t>(questions.size());
  crew_.each(n * facts_.n_head_kv, *abort_, [&](int64_t item, int worker) {
    answer(questions[static_cast<size_t>(item % n)], item / n, may_round, worker);
  });
  lap(times_.attention_ms);
}

void PackedCpu::answer(const Question& question, int64_t head, bool may_round, int worker) {
  const int64_t dim = facts_.head_dim, group = facts_.n_head / facts_.n_head_kv;
  std::vector<kernels::KeyRun>& runs = key_runs_[static_cast<size_t>(worker)];
  runs.clear();
  for (int32_t i = question.spans_begin; i < question.spans_end; ++i) {
    const Span& span = spans_[static_cast<size_t>(i)];
    const int64_t at = int64_t{span.row} * n_kv_ + head * dim;
    runs.push_back({rows_.k.floats() + at, rows_.v.floats() + at, span.n_tokens});
  }
  float* q = q_.floats() + int64_t{question.first} * n_q_ + head * group * dim;
  kernels::Attention a;
  a.head_dim = dim;
  a.group = group;
  a.scale = 1.0f / std::sqrt(static_cast<float>(dim));
  a.may_round = may_round;
  a.position = question.position;
  a.n_queries = question.n;
  a.q = q;
  a.q_token_stride = n_q_;
  a.q_head_stride = dim;
  a.runs = runs.data();
  a.n_runs = static_cast<int64_t>(runs.size());
  a.k_token_stride = n_kv_;
  a.v_token_stride = n_kv_;
  a.out = q;
  a.out_token_stride = n_q_;
  a.out_head_stride = dim;
  a.scratch = static_cast<uint8_t*>(scratch_.data()) +
              kernels::kAttentionScratch * static_cast<size_t>(worker);
  products_.kernels().attention(a);
}

}  // namespace qwen3_embed
