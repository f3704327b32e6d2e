// Tokens that stand in a text by their spelling, such as <|im_end|> or <think>.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/road/sequence.h"

namespace qwen3_embed {

class SpecialTokens {
 public:
  struct Match {
    size_t at;  // in the text
    size_t n_bytes;
    Token id;
  };

  SpecialTokens() = default;
  // Nullopt if two of them could overlap in a text: which of them is found would then hang on all
  // that stands around them. One within another is fine, the longer is found.
  static std::optional<SpecialTokens> make(std::vector<std::pair<std::string, Token>> tokens);

  // The first in text[from, to), the longest of those; it may reach beyond `to`.
  std::optional<Match> find(std::string_view text, size_t from, size_t to) const;

 private:
  std::optional<Match> longest_at(std::string_view text, size_t at) const;

  std::vector<std::pair<std::string, Token>> tokens_;  // sorted by their spelling
  bool begins_[256] = {};                              // whether one begins with this byte
};

}  // namespace qwen3_embed
