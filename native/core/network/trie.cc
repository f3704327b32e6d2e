#include "core/network/trie.h"

#include <algorithm>
#include <numeric>

namespace qwen3_embed {

size_t n_shared(const std::vector<Token>& a, const std::vector<Token>& b) {
  const auto end = a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<size_t>(std::mismatch(a.begin(), end, b.begin()).first - a.begin());
}

int compare_ids(const Sequence& a, const Sequence& b) {
  const size_t n = n_shared(a, b);
  if (n == a.ids.size() || n == b.ids.size()) {
    return a.ids.size() == b.ids.size() ? 0 : a.ids.size() < b.ids.size() ? -1 : 1;
  }
  return a.ids[n] < b.ids[n] ? -1 : 1;
}

namespace {

// Adds the tokens of `sequence` from `position` on as one run below `parent`, or as a root whose
// earlier tokens stand in `kept`.
int32_t add_run(Trie& trie, const Sequence& sequence, size_t position, int32_t parent,
                int32_t kept) {
  const int32_t row = trie.n_rows();
  const auto n_tokens = static_cast<int32_t>(sequence.ids.size() - position);
  trie.ids.insert(trie.ids.end(), sequence.ids.begin() + static_cast<std::ptrdiff_t>(position),
                  sequence.ids.end());
  trie.positions.resize(trie.ids.size());
  std::iota(trie.positions.begin() + row, trie.positions.end(), static_cast<int32_t>(position));
  trie.runs.push_back({parent, static_cast<int32_t>(position), row, n_tokens, kept});
  return static_cast<int32_t>(trie.runs.size()) - 1;
}

void set_last(Trie& trie, size_t i_sequence, int32_t i_run, const Sequence& sequence) {
  const Run& run = trie.runs[static_cast<size_t>(i_run)];
  trie.last_runs[i_sequence] = i_run;
  trie.last_rows[i_sequence] =
      run.row + static_cast<int32_t>(sequence.ids.size()) - 1 - run.position;
}

}  // namespace

Trie build_trie(const std::vector<const Sequence*>& sequences, bool shares_prefixes,
                const std::vector<KeptPart>& kept) {
  Trie trie;
  trie.last_runs.resize(sequences.size());
  trie.last_rows.resize(sequences.size());
  for (const Sequence* sequence : sequences) {
    trie.n_tokens += static_cast<int64_t>(sequence->ids.size());
  }
  auto part = [&](size_t i) { return kept.empty() ? KeptPart{} : kept[i]; };
  std::vector<size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!shares_prefixes) {
    for (const size_t i : order)
      set_last(trie, i, add_run(trie, *sequences[i], 0, -1, -1), *sequences[i]);
    return trie;
  }
  // Those that use the same tokens of the same kept prefix stand together: only they can share
  // more.
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const KeptPart x = part(a), y = part(b);
    if (x.kept != y.kept) return x.kept < y.kept;
    if (x.n_tokens != y.n_tokens) return x.n_tokens < y.n_tokens;
    return compare_ids(*sequences[a], *sequences[b]) < 0;
  });
  // In this order a sequence shares most with the one before it. `path` is that one's runs, root
  // first.
  std::vector<int32_t> path;
  const Sequence* before = nullptr;
  KeptPart part_before;
  for (const size_t i : order) {
    const Sequence& sequence = *sequences[i];
    const KeptPart own = part(i);
    const bool same_part =
        before && own.kept == part_before.kept && own.n_tokens == part_before.n_tokens;
    const auto start = static_cast<size_t>(own.n_tokens);
    const size_t shared = same_part ? std::max(start, n_shared(*before, sequence)) : start;
    if (!same_part) path.clear();
    while (!path.empty() &&
           trie.runs[static_cast<size_t>(path.back())].position >= static_cast<int32_t>(shared)) {
      path.pop_back();
    }
    if (shared < sequence.ids.size()) {
      const bool is_root = path.empty();
      path.push_back(
          add_run(trie, sequence, shared, is_root ? -1 : path.back(), is_root ? own.kept : -1));
    }
    set_last(trie, i, path.back(), sequence);
    before = &sequence;
    part_before = own;
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
    if (run.position < end) {
      spans.push_back({run.position, run.row, end - run.position, -1});
      end = run.position;
    }
    if (run.kept >= 0 && end > 0) spans.push_back({0, 0, end, run.kept});
  }
  std::reverse(spans.begin(), spans.end());
  return spans;
}

std::vector<Span> Trie::spans(size_t i_sequence) const {
  const Run& last = runs[static_cast<size_t>(last_runs[i_sequence])];
  return chain(last_runs[i_sequence], last.position + last_rows[i_sequence] - last.row + 1);
}

}  // namespace qwen3_embed
