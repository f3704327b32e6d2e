// The choice of the next pack: the budget holds, the head of the queue always runs, relatives meet.
#include "core/road/pack.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <random>
#include <set>

#include "check.h"
#include "core/network/trie.h"

using namespace qwen3_embed;

using Indices = std::vector<size_t>;

static std::vector<const Sequence*> pointers(const std::vector<Sequence>& sequences) {
  std::vector<const Sequence*> all;
  for (const Sequence& sequence : sequences) all.push_back(&sequence);
  return all;
}

// `n_common` tokens of the family, then tokens of its own.
static Sequence relative(Token family, size_t n_common, size_t n_tokens, Token self) {
  Sequence sequence;
  for (size_t i = 0; i < n_tokens; ++i) {
    sequence.ids.push_back(i < n_common ? family * 100000 + static_cast<Token>(i) : -self - 1);
  }
  return sequence;
}

static int32_t cost(const std::vector<Sequence>& all, const Indices& chosen, bool shares) {
  std::vector<const Sequence*> sequences;
  for (const size_t i : chosen) sequences.push_back(&all[i]);
  return build_trie(sequences, shares).n_rows();
}

static void plain() {
  std::vector<Sequence> all;
  for (const size_t n : {60, 50, 30, 20, 10})
    all.push_back(relative(1, 0, n, static_cast<Token>(n)));
  CHECK((choose_pack(pointers(all), 100, 99, false) == Indices{0, 2, 4}));
  CHECK((choose_pack(pointers(all), 100, 2, false) == Indices{0, 2}));
  CHECK((choose_pack(pointers(all), 10, 99, false) == Indices{0}));
  CHECK((choose_pack(pointers(all), 0, 0, true) == Indices{0}));
  CHECK(choose_pack({}, 100, 99, true).empty());
}

static void relatives_meet() {
  std::vector<Sequence> all;
  for (Token i = 0; i < 40; ++i) all.push_back(relative(i % 4, 30, 40, i));
  // 30 + 7 x 10 tokens: seven of the head's family and nobody else.
  const Indices chosen = choose_pack(pointers(all), 100, 99, true);
  CHECK(chosen.size() == 7);
  CHECK(std::all_of(chosen.begin(), chosen.end(), [](size_t i) { return i % 4 == 0; }));
  CHECK(cost(all, chosen, true) == 100);
  // All families fit.
  CHECK(choose_pack(pointers(all), 1000, 99, true).size() == 40);
}

static void a_common_opening_is_no_family() {
  std::vector<Sequence> all;
  for (Token i = 0; i < 9; ++i) all.push_back(relative(i % 3 == 0 ? 1 : 2 + i, 4, 30, i));
  CHECK((choose_pack(pointers(all), 60, 99, true) == Indices{0, 1}));
}

static void equal_texts_are_free() {
  std::vector<Sequence> all(50, relative(1, 100, 100, 0));
  all.push_back(relative(2, 5, 5, 1));
  CHECK(choose_pack(pointers(all), 100, 99, true).size() == 50);
  CHECK(choose_pack(pointers(all), 100, 20, true).size() == 20);
}

static void long_heads() {
  std::vector<Sequence> all;
  for (Token i = 0; i < 10; ++i) all.push_back(relative(1, 480, 500, i));
  all.push_back(relative(2, 0, 50, 99));
  // 480 + 10 x 20 = 680 tokens, though the budget is 100: the prefix is computed once.
  CHECK(choose_pack(pointers(all), 200, 99, true).size() == 10);
  // ... but at most one budget more.
  CHECK(cost(all, choose_pack(pointers(all), 100, 99, true), true) == 600);
  CHECK(choose_pack(pointers(all), 100, 99, false).size() == 1);
}

static void properties() {
  std::mt19937 random(3);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  bool head_runs = true, once = true, within = true, plain_within = true;
  for (int round = 0; round < 500; ++round) {
    std::vector<Sequence> all;
    const size_t n = 1 + below(60);
    for (size_t i = 0; i < n; ++i) {
      all.push_back(relative(static_cast<Token>(below(5)), below(40), 1 + below(60),
                             static_cast<Token>(below(20))));
    }
    const int budget = 1 + static_cast<int>(below(200)), most = 1 + static_cast<int>(below(20));
    for (const bool shares : {true, false}) {
      const Indices chosen = choose_pack(pointers(all), budget, most, shares);
      head_runs &= chosen.front() == 0;
      once &= std::set<size_t>(chosen.begin(), chosen.end()).size() == chosen.size();
      once &= chosen.size() <= static_cast<size_t>(most);
      const int head = static_cast<int>(all[0].ids.size());
      const int32_t tokens = cost(all, chosen, shares);
      if (shares)
        within &= tokens <= std::max(budget, head + (head > budget / 2 ? budget : 0));
      else
        plain_within &= tokens <= std::max(budget, head);
    }
  }
  CHECK(head_runs);
  CHECK(once);
  CHECK(within);
  CHECK(plain_within);
}

static void every_sequence_runs() {
  std::mt19937 random(5);
  std::vector<Sequence> all;
  for (Token i = 0; i < 300; ++i)
    all.push_back(relative(i % 7, random() % 50, 1 + random() % 90, i));
  std::vector<const Sequence*> pending = pointers(all);
  size_t n_packs = 0, n_run = 0;
  while (!pending.empty() && n_packs < 300) {
    Indices chosen = choose_pack(pending, 512, 64, true);
    std::sort(chosen.rbegin(), chosen.rend());
    for (const size_t i : chosen) pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(i));
    n_run += chosen.size();
    ++n_packs;
  }
  CHECK(n_run == 300);
  CHECK(n_packs <= static_cast<size_t>(cost(
                       all,
                       [] {
                         Indices i(300);
                         std::iota(i.begin(), i.end(), size_t{0});
                         return i;
                       }(),
                       true)) /
                           512 +
                       5);
}

// A window of thousands with one common instruction, the worst case for comparing.
static void speed() {
  std::vector<Sequence> all;
  for (Token i = 0; i < 4096; ++i) all.push_back(relative(1, 200, 400, i));
  const std::vector<const Sequence*> pending = pointers(all);
  const auto start = std::chrono::steady_clock::now();
  CHECK(choose_pack(pending, 1024, 4096, true).size() == 4);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("a window of 4096 sequences: %.1f ms\n", took.count());
}

int main() {
  plain();
  relatives_meet();
  a_common_opening_is_no_family();
  equal_texts_are_free();
  long_heads();
  properties();
  every_sequence_runs();
  speed();
  return check::finish();
}
