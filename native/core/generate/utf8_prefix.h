// What was said so far, as far as the next byte depends on it: whether bytes go on to be UTF-8.
#pragma once

#include <cstdint>
#include <string_view>

namespace qwen3_embed {

// Tokens of a byte-level vocabulary end within characters, and a grammar of llama.cpp takes any
// byte for the rest of one.
class Utf8Prefix {
 public:
  // Whether `bytes` go on with it to the beginning of a valid text; if so it stands after them.
  bool take(std::string_view bytes);
  // Not within a character.
  bool is_whole() const { return n_left_ == 0; }

 private:
  bool take(uint8_t byte);

  int n_left_ = 0;                      // bytes of the character begun
  uint8_t least_ = 0x80, most_ = 0xBF;  // of the next of them: no long forms, no surrogates
};

}  // namespace qwen3_embed
