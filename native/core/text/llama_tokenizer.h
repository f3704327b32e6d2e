// llama.cpp's vocabulary behind our interface, and what has to be kept away from it.
#pragma once

#include <memory>

#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "core/text/tokenizer.h"
#include "core/text/word_cuts.h"

struct llama_model;
struct llama_vocab;

namespace qwen3_embed {

// Its streams step from word to word, where a vocabulary allows it; a stretch without a space
// between words (Chinese, mostly) is one step.
class LlamaTokenizer final : public Tokenizer {
 public:
  LlamaTokenizer(std::shared_ptr<llama_model> model, const Facts& facts);
  // Loads the vocabulary alone.
  static std::unique_ptr<LlamaTokenizer> load(const Gguf& file, const Facts& facts);

  std::unique_ptr<TokenStream> stream(std::string_view text, bool parse_special) const override;
  // In parts of so many bytes and the rest of a word.
  std::unique_ptr<TokenStream> stream(std::string_view text, bool parse_special,
                                      size_t n_bytes) const;
  CutSpace cut_space() const { return cut_space_; }
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
  CutSpace find_cut_space() const;
  bool tokens_end_at_cuts() const;
  bool parts_are_whole(CutSpace space) const;

  const std::shared_ptr<llama_model> model_;
  const llama_vocab* const vocab_;
  bool recurses_ = false;         // once for each letter of a word, or so
  bool compares_digits_ = false;  // all that follow, at each of a number's
  size_t longest_ = 0;
  CutSpace cut_space_ = CutSpace::none;
};

}  // namespace qwen3_embed
