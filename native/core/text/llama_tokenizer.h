// llama.cpp's vocabulary behind our interface, and what has to be kept away from it.
#pragma once

#include <memory>

#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "core/text/tokenizer.h"

struct llama_model;
struct llama_vocab;

namespace qwen3_embed {

// It tokenises a text whole, as nothing says where its pre-tokenizers and normalizers may be
// interrupted without another outcome: a step of its streams is as long as the text.
class LlamaTokenizer final : public Tokenizer {
 public:
  LlamaTokenizer(std::shared_ptr<llama_model> model, const Facts& facts);
  // Loads the vocabulary alone.
  static std::unique_ptr<LlamaTokenizer> load(const Gguf& file, const Facts& facts);

  std::unique_ptr<TokenStream> stream(std::string_view text, bool parse_special) const override;
  std::string text(const std::vector<Token>& ids) const override;
  int n_tokens() const override;
  std::string spelling(Token id) const override;
  TextEnds ends() const override;
  size_t longest_token() const override { return longest_; }

  // Throws Failure text_too_long for what is beyond its reach.
  std::vector<Token> tokenize(std::string_view text, bool parse_special) const;

 private:
  std::vector<Token> tokenize_here(std::string_view text, bool add_special,
                                   bool parse_special) const;

  const std::shared_ptr<llama_model> model_;
  const llama_vocab* const vocab_;
  bool recurses_ = false;         // once for each letter of a word, or so
  bool compares_digits_ = false;  // all that follow, at each of a number's
  size_t longest_ = 0;
};

}  // namespace qwen3_embed
