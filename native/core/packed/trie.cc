#include "core/packed/trie.h"

#include <algorithm>
#include <numeric>

namespace qwen3_embed {

size_t n_shared(const Sequence& a, const Sequence& b) {
  const auto end =
      a.ids.begin() + static_cast<std::ptrdiff_t>(std::min(a.ids.size(), b.ids.size()));
  return static_cast<size_t>(std::mismatch(a.ids.begin(), end, b.ids.begin()).first -
                             a.ids.begin());
}

int compare_ids(const Sequence& a, const Sequence& b) {
  const size_t n = n_shared(a, b);
  if (n == a.ids.size() || n == b.ids.size()) {
    return a.ids.size() == b.ids.size() ? 0 : a.ids.size() < b.ids.size() ? -1 : 1;
  }
  return a.ids[n] < b.ids[n] ? -1 : 1;
}

namespace {

// Adds the tokens of `sequence` from `position` on as one run below `parent`.
int32_t add_run(Trie& trie, const Sequence& sequence, size_t position, int32_t parent) {
  const int32_t row = trie.n_rows();
  const auto n_tokens = static_cast<int32_t>(sequence.ids.size() - position);
  trie.ids.insert(trie.ids.end(), sequence.ids.begin() + static_cast<std::ptrdiff_t>(position),
                  sequence.ids.end());
  trie.positions.resize(trie.ids.size());
  std::iota(trie.positions.begin() + row, trie.positions.end(), static_cast<int32_t>(position));
  trie.runs.push_back({parent, static_cast<int32_t>(position), row, n_tokens});
  return static_cast<int32_t>(trie.runs.size()) - 1;
}

void set_last(Trie& trie, size_t i_sequence, int32_t i_run, const Sequence& sequence) {
  const Run& run = trie.runs[static_cast<size_t>(i_run)];
  trie.last_runs[i_sequence] = i_run;
  trie.last_rows[i_sequence] =
      run.row + static_cast<int32_t>(sequence.ids.size()) - 1 - run.position;
}

}  // namespace

Trie build_trie(const std::vector<const Sequence*>& sequences, bool shares_prefixes) {
  Trie trie;
  trie.last_runs.resize(sequences.size());
  trie.last_rows.resize(sequences.size());
  for (const Sequence* sequence : sequences) {
    trie.n_tokens += static_cast<int64_t>(sequence->ids.size());
  }
  std::vector<size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!shares_prefixes) {
    for (const size_t i : order)
      set_last(trie, i, add_run(trie, *sequences[i], 0, -1), *sequences[i]);
    return trie;
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return compare_ids(*sequences[a], *sequences[b]) < 0;
  });
  // In this order a sequence shares most with the one before it. `path` is that one's runs, root
  // first.
  std::vector<int32_t> path;
  const Sequence* before = nullptr;
  for (const size_t i : order) {
    const Sequence& sequence = *sequences[i];
    const size_t shared = before ? n_shared(*before, sequence) : 0;
    while (!path.empty() &&
           trie.runs[static_cast<size_t>(path.back())].position >= static_cast<int32_t>(shared)) {
      path.pop_back();
    }
    if (shared < sequence.ids.size()) {
      path.push_back(add_run(trie, sequence, shared, path.empty() ? -1 : path.back()));
    }
    set_last(trie, i, path.back(), sequence);
    before = &sequence;
  }
  return trie;
}

int32_t Trie::run_of(int32_t row) const {
  const auto after = std::upper_bound(runs.begin(), runs.end(), row,
                                      [](int32_t r, const Run& run) { return r < run.row; });
  return static_cast<int32_t>(after - runs.begin()) - 1;
}

std::vector<Span> Trie::chain(int32_t i_run, int32_t n_tokens) const {
  std::vector<Span> spans;
  int32_t end = n_tokens;
  for (int32_t i = i_run; i >= 0; i = runs[static_cast<size_t>(i)].parent) {
    const Run& run = runs[static_cast<size_t>(i)];
    if (run.position >= end) continue;
    spans.push_back({run.position, run.row, end - run.position});
    end = run.position;
  }
  std::reverse(spans.begin(), spans.end());
  return spans;
}

std::vector<Span> Trie::spans(size_t i_sequence) const {
  const Run& last = runs[static_cast<size_t>(last_runs[i_sequence])];
  return chain(last_runs[i_sequence], last.position + last_rows[i_sequence] - last.row + 1);
}

}  // namespace qwen3_embed
