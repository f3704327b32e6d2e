// A pack as a trie of token runs, against the definition: one row for each distinct prefix, and the
// rows of a sequence are those of its prefixes.
#include "core/network/trie.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include "check.h"

using namespace qwen3_embed;

using Ids = std::vector<Token>;

static std::vector<const Sequence*> pointers(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> all;
  for (const Sequence& sequence : sequences) all.push_back(&sequence);
  return all;
}

static Ids read_rows(const Trie& trie, const std::vector<Span>& spans) {
  Ids ids;
  for (const Span& span : spans) {
    for (int32_t i = 0; i < span.n_tokens; ++i)
      ids.push_back(trie.ids[static_cast<size_t>(span.row + i)]);
  }
  return ids;
}

static bool well_formed(const Trie& trie) {
  int32_t row = 0;
  for (size_t r = 0; r < trie.runs.size(); ++r) {
    const Run& run = trie.runs[r];
    if (run.row != row || run.n_tokens < 1 || run.parent >= static_cast<int32_t>(r)) return false;
    if ((run.parent < 0) != (run.position == 0)) return false;
    if (run.parent >= 0) {
      const Run& parent = trie.runs[static_cast<size_t>(run.parent)];
      if (run.position <= parent.position || run.position > parent.position + parent.n_tokens)
        return false;
    }
    for (int32_t i = 0; i < run.n_tokens; ++i) {
      if (trie.positions[static_cast<size_t>(row + i)] != run.position + i) return false;
    }
    row += run.n_tokens;
  }
  return row == trie.n_rows();
}

static void check_against_definition(const std::vector<Sequence>& sequences) {
  const Trie trie = build_trie(pointers(sequences));
  CHECK(well_formed(trie));
  std::set<Ids> prefixes;
  std::map<Ids, int32_t> row_of;
  bool rows_agree = true, ids_agree = true, last_agree = true;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Ids& ids = sequences[i].ids;
    const std::vector<Span> spans = trie.spans(i);
    ids_agree &= read_rows(trie, spans) == ids;
    last_agree &= spans.back().row + spans.back().n_tokens - 1 == trie.last_rows[i];
    Ids prefix;
    for (const Span& span : spans) {
      ids_agree &= span.position == static_cast<int32_t>(prefix.size());
      for (int32_t k = 0; k < span.n_tokens; ++k) {
        prefix.push_back(trie.ids[static_cast<size_t>(span.row + k)]);
        prefixes.insert(prefix);
        const auto found = row_of.emplace(prefix, span.row + k);
        rows_agree &= found.first->second == span.row + k;
      }
    }
  }
  CHECK(ids_agree);
  CHECK(rows_agree);
  CHECK(last_agree);
  CHECK(trie.n_rows() == static_cast<int32_t>(prefixes.size()));
}

static std::vector<Sequence> random_sequences(std::mt19937& random) {
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::vector<Sequence> sequences;
  const int n = 1 + below(20), n_letters = 1 + below(4), longest = 1 + below(30);
  for (int i = 0; i < n; ++i) {
    Sequence sequence;
    if (!sequences.empty() && below(3) == 0) {
      sequence = sequences[static_cast<size_t>(below(i))];
      sequence.ids.resize(static_cast<size_t>(1 + below(static_cast<int>(sequence.ids.size()))));
    }
    for (int k = below(longest) + (sequence.ids.empty() ? 1 : 0); k > 0; --k) {
      sequence.ids.push_back(below(n_letters));
    }
    sequences.push_back(sequence);
  }
  return sequences;
}

static void shapes() {
  const Sequence a{{1, 2, 3, 4}}, b{{1, 2, 5}}, c{{1, 2}}, d{{9}};
  const Trie one = build_trie({&a});
  CHECK(one.runs.size() == 1 && one.n_rows() == 4 && one.last_rows[0] == 3);

  const Trie equal = build_trie({&a, &a, &a});
  CHECK(equal.runs.size() == 1 && equal.n_rows() == 4 && equal.n_tokens == 12);
  CHECK(equal.last_rows[0] == 3 && equal.last_rows[2] == 3);

  const Trie strangers = build_trie({&a, &d});
  CHECK(strangers.runs.size() == 2 && strangers.runs[1].parent == -1);

  const Trie inside = build_trie({&a, &c});
  CHECK(inside.runs.size() == 2 && inside.n_rows() == 4);
  CHECK(inside.last_rows[0] == 3 && inside.last_rows[1] == 1);

  const Trie branch = build_trie({&a, &b});
  CHECK(branch.runs.size() == 2 && branch.n_rows() == 5);
  CHECK(branch.runs[1].parent == 0 && branch.runs[1].position == 2);

  const Trie apart = build_trie({&a, &a, &c}, false);
  CHECK(apart.runs.size() == 3 && apart.n_rows() == 10 && apart.last_rows[2] == 9);

  const Trie nothing = build_trie({});
  CHECK(nothing.n_rows() == 0 && nothing.runs.empty());
}

static void order_does_not_matter() {
  std::mt19937 random(7);
  bool same = true;
  for (int i = 0; i < 200; ++i) {
    std::vector<Sequence> sequences = random_sequences(random);
    const Trie before = build_trie(pointers(sequences));
    std::shuffle(sequences.begin(), sequences.end(), random);
    same &= build_trie(pointers(sequences)).ids == before.ids;
  }
  CHECK(same);
}

int main() {
  shapes();
  order_does_not_matter();
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) check_against_definition(random_sequences(random));
  std::vector<Sequence> deep;  // each begins with the one before
  for (int n = 1; n <= 200; ++n) {
    deep.push_back({});
    for (int k = 0; k < n; ++k) deep.back().ids.push_back(k);
  }
  check_against_definition(deep);
  std::vector<Sequence> comb;  // each leaves the long one at another place
  for (int n = 1; n <= 100; ++n) {
    comb.push_back(deep.back());
    comb.back().ids.resize(static_cast<size_t>(n));
    comb.back().ids.push_back(1000 + n);
  }
  check_against_definition(comb);
  return check::finish();
}
