// Characters of UTF-8 and what pre-tokenizers tell apart in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace qwen3_embed {

enum class CharClass : uint8_t { kOther, kLetter, kNumber, kSpace };

struct ClassRange {
  uint32_t first;
  CharClass char_class;
};
const std::vector<ClassRange>& class_ranges();

CharClass class_of(uint32_t code);

struct Character {
  uint32_t code;
  uint32_t n_bytes;  // 1 for a byte that begins no character, whose code is then U+FFFD
};

// Of the bytes from `at` on; at < text.size().
Character character_at(std::string_view text, size_t at);

}  // namespace qwen3_embed
