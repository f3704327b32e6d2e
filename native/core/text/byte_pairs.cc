#include "core/text/byte_pairs.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

namespace qwen3_embed {
namespace {

// Up to so many symbols it is quicker to look through all ranks than to keep them in a heap.
constexpr size_t kFew = 48;

size_t slots_for(size_t n) {
  size_t n_slots = 16;
  while (n_slots < n + n / 2) n_slots *= 2;
  return n_slots;
}

uint64_t mix(uint64_t word) {
  word *= 0x9fb21c651e98df25;
  return word ^ (word >> 32);
}

size_t hash_of(std::string_view bytes) {
  uint64_t hash = bytes.size();
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t n = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), n);
    hash = mix(hash ^ word);
    bytes.remove_prefix(n);
  }
  return static_cast<size_t>(hash);
}

uint64_t pair_of(Token left, Token right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

BytePairs::BytePairs(std::vector<std::string> tokens, size_t n_merges)
    : tokens_(std::move(tokens)),
      token_slots_(slots_for(tokens_.size()), -1),
      merges_(slots_for(n_merges)),
      is_whole_(tokens_.size()) {
  of_byte_.fill(-1);
  for (size_t id = 0; id < tokens_.size(); ++id) {
    const std::string& bytes = tokens_[id];
    if (bytes.empty()) continue;
    longest_ = std::max(longest_, bytes.size());
    Token& slot = token_slots_[token_slot(bytes)];
    if (slot < 0) slot = static_cast<Token>(id);
    if (bytes.size() == 1) of_byte_[static_cast<uint8_t>(bytes[0])] = static_cast<Token>(id);
  }
}

size_t BytePairs::token_slot(std::string_view bytes) const {
  const size_t mask = token_slots_.size() - 1;
  size_t i = hash_of(bytes) & mask;
  while (token_slots_[i] >= 0 && tokens_[static_cast<size_t>(token_slots_[i])] != bytes)
    i = (i + 1) & mask;
  return i;
}

size_t BytePairs::merge_slot(uint64_t pair) const {
  const size_t mask = merges_.size() - 1;
  size_t i = static_cast<size_t>(mix(pair)) & mask;
  while (merges_[i].pair != kNoPair && merges_[i].pair != pair) i = (i + 1) & mask;
  return i;
}

const BytePairs::Merge& BytePairs::merge_of(Token left, Token right) const {
  return merges_[merge_slot(pair_of(left, right))];
}

Token BytePairs::find(std::string_view bytes) const { return token_slots_[token_slot(bytes)]; }

void BytePairs::add_merge(std::string_view left, std::string_view right) {
  const uint32_t rank = n_ranks_++;
  const Token a = find(left), b = find(right);
  const Token whole = find(std::string(left).append(right));
  if (a < 0 || b < 0 || whole < 0) return;  // nothing ever is such a pair
  Merge& merge = merges_[merge_slot(pair_of(a, b))];
  if (merge.pair == kNoPair) merge = {pair_of(a, b), rank, whole};
}

void BytePairs::encode(std::string_view piece, Work& work, std::vector<Token>& ids) const {
  if (piece.empty()) return;
  const Token whole = piece.size() <= longest_ ? find(piece) : -1;
  if (whole < 0) return merge_all(piece, work, ids);
  std::atomic<uint8_t>& known = is_whole_[static_cast<size_t>(whole)];
  const uint8_t state = known.load(std::memory_order_relaxed);
  if (state == 1) {
    ids.push_back(whole);
    return;
  }
  const size_t before = ids.size();
  merge_all(piece, work, ids);
  if (state == 0) {
    const bool yes = ids.size() == before + 1 && ids.back() == whole;
    known.store(yes ? 1 : 2, std::memory_order_relaxed);
  }
}

bool BytePairs::stay_apart(Token left, Token right, Work& work) const {
  std::string both(bytes(left));
  both.append(bytes(right));
  std::vector<Token> ids;
  merge_all(both, work, ids);
  return ids.size() == 2 && ids[0] == left && ids[1] == right;
}

void BytePairs::merge_all(std::string_view piece, Work& work, std::vector<Token>& ids) const {
  const size_t n = piece.size();
  work.ids.resize(n);
  work.ranks.assign(n, kNoRank);
  work.merged.resize(n);
  for (size_t i = 0; i < n; ++i) work.ids[i] = of_byte_[static_cast<uint8_t>(piece[i])];
  for (size_t i = 0; i + 1 < n; ++i) {
    const Merge& merge = merge_of(work.ids[i], work.ids[i + 1]);
    work.ranks[i] = merge.rank;
    work.merged[i] = merge.id;
  }
  if (n <= kFew) {
    merge_few(work, ids);
  } else {
    merge_many(work, ids);
  }
}

// ranks[i], merged[i]: of the pair of symbols i and i + 1; the last has none.
void BytePairs::merge_few(Work& work, std::vector<Token>& ids) const {
  size_t n = work.ids.size();
  const auto look_up = [&](size_t i) {
    const Merge none;
    const Merge& merge = i + 1 < n ? merge_of(work.ids[i], work.ids[i + 1]) : none;
    work.ranks[i] = merge.rank;
    work.merged[i] = merge.id;
  };
  for (;;) {
    const auto begin = work.ranks.begin();
    const auto lowest = std::min_element(begin, begin + static_cast<std::ptrdiff_t>(n));
    if (*lowest == kNoRank) break;
    const auto i = static_cast<size_t>(lowest - begin);
    work.ids[i] = work.merged[i];
    const auto close_gap = [&](auto& values) {
      std::copy(values.begin() + static_cast<std::ptrdiff_t>(i) + 2,
                values.begin() + static_cast<std::ptrdiff_t>(n),
                values.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    };
    close_gap(work.ids);
    close_gap(work.ranks);
    close_gap(work.merged);
    --n;
    look_up(i);
    if (i > 0) look_up(i - 1);
  }
  ids.insert(ids.end(), work.ids.begin(), work.ids.begin() + static_cast<std::ptrdiff_t>(n));
}

// Symbols are a list, pairs a heap of rank and place; one that has changed since it was put there
// is told by its rank.
void BytePairs::merge_many(Work& work, std::vector<Token>& ids) const {
  const size_t n = work.ids.size();
  work.next.resize(n);
  work.previous.resize(n);
  work.heap.clear();
  const auto push = [&](size_t i) {
    if (work.ranks[i] == kNoRank) return;
    work.heap.push_back(static_cast<uint64_t>(work.ranks[i]) << 32 | i);
    std::push_heap(work.heap.begin(), work.heap.end(), std::greater<>());
  };
  for (size_t i = 0; i < n; ++i) {
    work.next[i] = i + 1 < n ? static_cast<int32_t>(i + 1) : -1;
    work.previous[i] = static_cast<int32_t>(i) - 1;
    if (work.ranks[i] != kNoRank)
      work.heap.push_back(static_cast<uint64_t>(work.ranks[i]) << 32 | i);
  }
  std::make_heap(work.heap.begin(), work.heap.end(), std::greater<>());
  const auto look_up = [&](size_t i) {
    const int32_t next = work.next[i];
    const Merge none;
    const Merge& merge =
        next >= 0 ? merge_of(work.ids[i], work.ids[static_cast<size_t>(next)]) : none;
    work.ranks[i] = merge.rank;
    work.merged[i] = merge.id;
    push(i);
  };
  while (!work.heap.empty()) {
    std::pop_heap(work.heap.begin(), work.heap.end(), std::greater<>());
    const uint64_t top = work.heap.back();
    work.heap.pop_back();
    const auto i = static_cast<size_t>(top & 0xffffffff);
    if (work.ranks[i] != top >> 32) continue;
    const auto swallowed = static_cast<size_t>(work.next[i]);
    work.ids[i] = work.merged[i];
    work.next[i] = work.next[swallowed];
    work.ranks[swallowed] = kNoRank;
    if (work.next[i] >= 0)
      work.previous[static_cast<size_t>(work.next[i])] = static_cast<int32_t>(i);
    look_up(i);
    if (work.previous[i] >= 0) look_up(static_cast<size_t>(work.previous[i]));
  }
  for (int32_t i = 0; i >= 0; i = work.next[static_cast<size_t>(i)])
    ids.push_back(work.ids[static_cast<size_t>(i)]);
}

}  // namespace qwen3_embed
