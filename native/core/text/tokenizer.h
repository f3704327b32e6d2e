// What turns text into tokens and back: one of our own, or llama.cpp's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/road/sequence.h"

namespace qwen3_embed {

// A text on its way to tokens. The text stays where it is meanwhile.
class TokenStream {
 public:
  struct Step {
    bool done;
    size_t n_taken_back = 0;
  };

  virtual ~TokenStream() = default;
  // Goes a little further and appends the tokens found: of some 64 KiB, where the tokenizer can
  // stop in between. When it says so, that many of the tokens appended by earlier steps were wrong
  // after all and are to be dropped first; real vocabularies never do that.
  virtual Step step(std::vector<Token>& ids) = 0;
};

// What a vocabulary puts around a text unless told otherwise; ids are -1 where it has none.
struct TextEnds {
  std::vector<Token> lead, trail;
  Token bos = -1, eos = -1, sep = -1;
  bool add_bos = false, add_eos = false, add_sep = false;
};

// All of it may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // `parse_special`: tokens that control the model are found in the text as well.
  virtual std::unique_ptr<TokenStream> stream(std::string_view text, bool parse_special) const = 0;
  // Control tokens spelled out; ids are known to exist.
  virtual std::string text(const std::vector<Token>& ids) const = 0;
  virtual int n_tokens() const = 0;
  virtual std::string spelling(Token id) const = 0;  // as the file has it
  virtual TextEnds ends() const = 0;
  // Bytes of text that one token stands for at most; 0 where no such bound holds.
  virtual size_t longest_token() const = 0;
};

}  // namespace qwen3_embed
