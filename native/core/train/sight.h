// Which rows of a pack see which, in both directions: what a query attends to, and who attends to a
// key.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/network/trie.h"

namespace qwen3_embed::train {

class Sight {
 public:
  // `active`: the rows that ask, ascending.
  Sight(const Trie& trie, const std::vector<int32_t>& active) : trie_(trie), active_(active) {
    seers_.resize(trie.runs.size());
    for (size_t i = 0; i < trie.runs.size(); ++i) {
      const Run& run = trie.runs[i];
      const auto first = std::lower_bound(active.begin(), active.end(), run.row);
      const auto last = std::lower_bound(first, active.end(), run.row + run.n_tokens);
      const Seers seers{static_cast<int32_t>(first - active.begin()),
                        static_cast<int32_t>(last - active.begin()), 0};
      if (first == last) continue;
      // Of its own run, the rows from the key's on; of an ancestor, what comes before the branch.
      seers_[i].push_back({seers.begin, seers.end, kOwn});
      for (auto child = static_cast<int32_t>(i); trie.runs[at(child)].parent >= 0;
           child = trie.runs[at(child)].parent) {
        const Run& branch = trie.runs[at(child)];
        const Run& parent = trie.runs[at(branch.parent)];
        const int32_t n_seen = std::min(parent.n_tokens, branch.position - parent.position);
        seers_[at(branch.parent)].push_back({seers.begin, seers.end, n_seen});
      }
    }
  }

  // each(active index) for every active row that sees row `row` of run `i_run`, in order.
  template <typename Each>
  void each_seer(int32_t i_run, int32_t row, const Each& each) const {
    const int32_t offset = row - trie_.runs[at(i_run)].row;
    for (const Seers& seers : seers_[at(i_run)]) {
      if (seers.n_seen != kOwn && offset >= seers.n_seen) continue;
      for (int32_t i = seers.begin; i < seers.end; ++i) {
        if (seers.n_seen == kOwn && active_[static_cast<size_t>(i)] < row) continue;
        each(i);
      }
    }
  }

 private:
  static constexpr int32_t kOwn = -1;
  struct Seers {
    int32_t begin, end;  // in active
    int32_t n_seen;      // of the run's first tokens, or kOwn
  };
  static size_t at(int32_t i) { return static_cast<size_t>(i); }

  const Trie& trie_;
  const std::vector<int32_t>& active_;
  std::vector<std::vector<Seers>> seers_;  // (n_runs), in row order
};

}  // namespace qwen3_embed::train
