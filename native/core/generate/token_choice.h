// Which token comes next: of those that the grammar allows, one that the model finds likely, drawn
// by the seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/generate/utf8_prefix.h"
#include "core/road/sequence.h"

struct llama_model;
struct llama_sampler;
struct llama_token_data;
struct llama_vocab;

namespace qwen3_embed {

// Tokens that spell something, with what they spell.
class Spellings {
 public:
  // Throws Failure model_unsupported where no token ends an answer: grammars ask for one.
  Spellings(const llama_vocab* vocab, const std::string& path);

  std::string_view of(Token id) const;
  const std::vector<Token>& usable() const { return usable_; }
  size_t n_tokens() const { return ends_.size(); }
  Token end() const { return end_; }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;   // (n_tokens): in bytes_
  std::vector<Token> usable_;  // those that spell something
  Token end_ = -1;             // ends an answer
};

// One answer while it grows.
class Choices {
 public:
  // Throws Failure compute where the grammar is refused. `spellings` outlive it.
  Choices(const llama_vocab* vocab, const Spellings& spellings, const std::string& grammar,
          uint32_t seed);

  // The next token, which is taken into the text. Throws Failure: non_finite; model_unsupported
  // where no token goes on with the grammar.
  Token choose(const float* logits);
  // The grammar allows an end.
  bool is_complete();
  const std::string& text() const { return text_; }
  // Of the logits that were drawn from: equal where all their bits are.
  uint32_t digest() const { return digest_; }

 private:
  void add_to_digest();
  void keep_allowed(const std::vector<Token>& tokens, const float* logits);

  struct Delete {
    void operator()(llama_sampler* sampler) const;
  };
  using Sampler = std::unique_ptr<llama_sampler, Delete>;

  const Spellings& spellings_;
  Sampler grammar_, chain_;
  Utf8Prefix utf8_;
  std::string text_;
  uint32_t digest_ = 2166136261;
  std::vector<Token> likely_;              // scratch
  std::vector<llama_token_data> allowed_;  // scratch, most likely first
};

}  // namespace qwen3_embed
