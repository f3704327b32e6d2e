// Where a text may be cut so that a tokenizer of llama.cpp's makes of the parts what it makes of
// the whole: between two words.
#pragma once

#include <cstddef>
#include <string_view>

namespace qwen3_embed {

// What becomes of the space that a text is cut at.
enum class CutSpace {
  none,   // there is no safe cut
  stays,  // it begins the part that follows
  goes,   // the tokenizer puts one before each part itself
};

struct Cut {
  size_t end, next;  // of the part before, and where the part behind it begins
};

// The first cut at or after `from`; both text.size() where there is none. It is at one space
// between letters or digits.
Cut find_cut(std::string_view text, size_t from, CutSpace space);

// What in a vocabulary rules such cuts out: a normal token that goes on past a space, which the
// vocabulary spells `space`; a control token that may touch or cover a cut.
bool spans_words(std::string_view spelling, std::string_view space);
bool may_stand_at_cut(std::string_view control_token);

}  // namespace qwen3_embed
