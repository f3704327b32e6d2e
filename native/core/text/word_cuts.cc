#include "core/text/word_cuts.h"

#include "core/text/unicode.h"

namespace qwen3_embed {
namespace {

bool is_word(CharClass char_class) {
  return char_class == CharClass::kLetter || char_class == CharClass::kNumber;
}

bool word_begins(std::string_view text, size_t at) {
  return at < text.size() && is_word(class_of(character_at(text, at).code));
}

bool word_ends(std::string_view text, size_t end) {
  for (size_t n = 1; n <= 4 && n <= end; ++n) {
    const Character last = character_at(text, end - n);
    if (last.n_bytes == n && last.code != 0xfffd) return is_word(class_of(last.code));
  }
  return false;
}

}  // namespace

Cut find_cut(std::string_view text, size_t from, CutSpace space) {
  for (size_t at = from; space != CutSpace::none;) {
    at = text.find(' ', at);
    if (at == std::string_view::npos) break;
    if (word_ends(text, at) && word_begins(text, at + 1))
      return {at, space == CutSpace::goes ? at + 1 : at};
    ++at;
  }
  return {text.size(), text.size()};
}

bool spans_words(std::string_view spelling, std::string_view space) {
  size_t at = 0;
  while (spelling.substr(at, space.size()) == space) at += space.size();
  return at < spelling.size() && spelling.find(space, at) != std::string_view::npos;
}

bool may_stand_at_cut(std::string_view control_token) {
  const size_t n = control_token.size();
  if (word_begins(control_token, 0) || word_ends(control_token, n)) return true;
  for (size_t at = 0;; ++at) {
    at = control_token.find(' ', at);
    if (at == std::string_view::npos) return false;
    if ((at == 0 || word_ends(control_token, at)) &&
        (at + 1 == n || word_begins(control_token, at + 1)))
      return true;
  }
}

}  // namespace qwen3_embed
