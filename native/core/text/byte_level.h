// The tokenizer of Qwen2 and Qwen3: byte pairs within pieces, tokens spelled out found before.
#pragma once

#include <memory>

#include "core/file/gguf_file.h"
#include "core/text/byte_pairs.h"
#include "core/text/special_tokens.h"
#include "core/text/tokenizer.h"

namespace qwen3_embed {

class ByteLevelTokenizer final : public Tokenizer {
 public:
  // Of a file that read_facts passed. Null if its vocabulary is none of Qwen's kind, or has
  // something about it that this one does not do as llama.cpp does.
  static std::unique_ptr<ByteLevelTokenizer> make(const Gguf& file);

  std::unique_ptr<TokenStream> stream(std::string_view text, bool parse_special) const override;
  std::string text(const std::vector<Token>& ids) const override;
  int n_tokens() const override { return static_cast<int>(types_.size()); }
  std::string spelling(Token id) const override;
  TextEnds ends() const override { return ends_; }
  size_t longest_token() const override { return longest_; }

 private:
  enum class Type : uint8_t { pairs, spelled, silent };

  ByteLevelTokenizer(BytePairs pairs, SpecialTokens all, SpecialTokens in_user_text);

  const BytePairs pairs_;
  const SpecialTokens all_, in_user_text_;
  std::vector<Type> types_;             // (n_tokens)
  std::vector<std::string> spellings_;  // of those that are spelled; else empty
  TextEnds ends_;
  size_t longest_ = 0;
};

}  // namespace qwen3_embed
