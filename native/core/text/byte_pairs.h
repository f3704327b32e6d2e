// Byte-pair encoding: bytes merge into tokens, the pair of the lowest rank first, the leftmost of
// equals.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/road/sequence.h"

namespace qwen3_embed {

class BytePairs {
 public:
  // Memory of one encode() after another.
  struct Work {
    std::vector<Token> ids, merged;
    std::vector<uint32_t> ranks;
    std::vector<int32_t> next, previous;
    std::vector<uint64_t> heap;
  };

  // Token i stands for tokens[i]; empty: no text becomes it. All 256 single bytes are among them.
  explicit BytePairs(std::vector<std::string> tokens, size_t n_merges);
  // In the order of their ranks. A pair that is there already stays as it is.
  void add_merge(std::string_view left, std::string_view right);

  // Appends the tokens of `piece`: n log n in its length. Safe from several threads at once, each
  // with a Work of its own.
  void encode(std::string_view piece, Work& work, std::vector<Token>& ids) const;
  // Whether these two, one after the other, are what encode() makes of their bytes. A sequence is
  // the encoding of its bytes if and only if that holds for all its neighbours: what merges first
  // across a border in the whole would merge first across it in those two alone.
  bool stay_apart(Token left, Token right, Work& work) const;

  Token find(std::string_view bytes) const;  // -1: none
  std::string_view bytes(Token id) const { return tokens_[static_cast<size_t>(id)]; }
  size_t longest() const { return longest_; }

 private:
  struct Merge {
    uint64_t pair = kNoPair;
    uint32_t rank = kNoRank;
    Token id = -1;
  };
  static constexpr uint64_t kNoPair = ~uint64_t{0};
  static constexpr uint32_t kNoRank = ~uint32_t{0};

  size_t token_slot(std::string_view bytes) const;
  size_t merge_slot(uint64_t pair) const;
  const Merge& merge_of(Token left, Token right) const;
  void merge_all(std::string_view piece, Work& work, std::vector<Token>& ids) const;
  void merge_few(Work& work, std::vector<Token>& ids) const;
  void merge_many(Work& work, std::vector<Token>& ids) const;

  std::vector<std::string> tokens_;
  std::vector<Token> token_slots_;  // by hash of the bytes; -1: free
  std::vector<Merge> merges_;       // by hash of the pair
  std::array<Token, 256> of_byte_{};
  uint32_t n_ranks_ = 0;
  size_t longest_ = 0;
  // Whether a token is what its own bytes merge into, so that most words take one look: 0 not known
  // yet, 1 yes, 2 no. Worked out once, by whoever comes first.
  mutable std::vector<std::atomic<uint8_t>> is_whole_;
};

}  // namespace qwen3_embed
