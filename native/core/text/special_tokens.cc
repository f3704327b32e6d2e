#include "core/text/special_tokens.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>

namespace qwen3_embed {
namespace {

// Far beyond any vocabulary known; what is checked below grows faster than what is given.
constexpr size_t kMostBytes = 1 << 18;

}  // namespace

std::optional<SpecialTokens> SpecialTokens::make(
    std::vector<std::pair<std::string, Token>> tokens) {
  size_t n_bytes = 0;
  for (const auto& [text, id] : tokens) n_bytes += text.size();
  if (n_bytes > kMostBytes) return std::nullopt;
  SpecialTokens made;
  made.tokens_ = std::move(tokens);
  std::sort(made.tokens_.begin(), made.tokens_.end());
  // Where the end of one is the beginning of another.
  std::unordered_set<std::string_view> beginnings;
  for (const auto& [text, id] : made.tokens_) {
    for (size_t n = 1; n < text.size(); ++n) beginnings.insert(std::string_view(text).substr(0, n));
    made.begins_[static_cast<uint8_t>(text[0])] = true;
  }
  for (const auto& [text, id] : made.tokens_) {
    for (size_t n = 1; n < text.size(); ++n) {
      if (beginnings.count(std::string_view(text).substr(n)) != 0) return std::nullopt;
    }
  }
  return made;
}

std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, size_t from,
                                                        size_t to) const {
  for (size_t at = from; at < to; ++at) {
    if (!begins_[static_cast<uint8_t>(text[at])]) continue;
    if (const std::optional<Match> match = longest_at(text, at)) return match;
  }
  return std::nullopt;
}

// Narrows down the sorted spellings letter by letter.
std::optional<SpecialTokens::Match> SpecialTokens::longest_at(std::string_view text,
                                                              size_t at) const {
  std::optional<Match> longest;
  auto begin = tokens_.begin(), end = tokens_.end();
  for (size_t n = 0; begin != end; ++n) {
    if (begin->first.size() == n) {
      longest = Match{at, n, begin->second};
      if (++begin == end) break;
    }
    if (at + n >= text.size()) break;
    const auto letter = static_cast<uint8_t>(text[at + n]);
    const auto letter_of = [n](const auto& token) { return static_cast<uint8_t>(token.first[n]); };
    begin = std::partition_point(begin, end,
                                 [&](const auto& token) { return letter_of(token) < letter; });
    end = std::partition_point(begin, end,
                               [&](const auto& token) { return letter_of(token) == letter; });
  }
  return longest;
}

}  // namespace qwen3_embed
