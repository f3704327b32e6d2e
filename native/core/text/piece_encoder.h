// One piece of text, of any length, to tokens: a window at a time.
#pragma once

#include <string_view>
#include <vector>

#include "core/text/byte_pairs.h"
#include "core/text/tokenizer.h"

namespace qwen3_embed {

// Windows are joined where the tokens on both sides stay apart, which makes the whole exact: see
// BytePairs::stay_apart. So time is linear in the piece, and nothing longer than a window is ever
// merged at once, but for vocabularies made to defeat that.
class PieceEncoder {
 public:
  static constexpr size_t kWindowBytes = 4096;

  explicit PieceEncoder(const BytePairs& pairs, size_t window_bytes = kWindowBytes)
      : pairs_(pairs), window_bytes_(window_bytes) {}

  void begin(std::string_view piece);
  // One window; as TokenStream::step.
  TokenStream::Step step(std::vector<Token>& ids);
  size_t window_bytes() const { return window_bytes_; }

 private:
  TokenStream::Step start_over(std::vector<Token>& ids);

  const BytePairs& pairs_;
  const size_t window_bytes_;
  BytePairs::Work work_;
  std::string_view piece_;
  size_t begin_ = 0;         // of the next window
  std::vector<Token> held_;  // tokens before begin_ that the next window may still change
  size_t n_given_ = 0;       // tokens of this piece appended so far
  std::vector<Token> window_;
};

}  // namespace qwen3_embed
