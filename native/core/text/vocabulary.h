// The vocabulary of a model: tokens of texts, and the frames that texts are run in.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file/facts.h"
#include "core/road/sequence.h"
#include "core/text/tokenizer.h"

struct llama_model;

namespace qwen3_embed {

// The fixed token runs around the texts of a job: lead, head, joint, body, trail. Only the body is
// ever cut.
struct Frame {
  std::vector<Token> lead;   // (n_lead)
  std::vector<Token> joint;  // between head and body, for rankers that separate a pair with a token
  // (n_trail): the end token of an embedding, the suffix of a rerank prompt
  std::vector<Token> trail;
  // An instruction and its query are one string: BPE may merge across the seam.
  bool head_joins_body = false;
};

// Safe from several threads at once.
class Vocabulary {
 public:
  // Our own tokenizer where it knows the file's kind, else llama.cpp's: of `model` if it is loaded
  // anyway, or loaded alone.
  Vocabulary(const Gguf& file, const Facts& facts, std::shared_ptr<llama_model> model = nullptr);

  // User text: control tokens spelled out in it stay text.
  std::vector<Token> plain(std::string_view text) const { return tokenize(text, false); }
  // Template text of ours.
  std::vector<Token> special(std::string_view text) const { return tokenize(text, true); }
  // User text that may be long: its tokens little by little. The text stays where it is meanwhile.
  std::unique_ptr<TokenStream> stream(std::string_view text) const {
    return tokenizer_->stream(text, false);
  }
  // Bytes of text that one token stands for at most; 0 where no such bound holds.
  size_t longest_token() const { return tokenizer_->longest_token(); }
  // The id of a token by its text, or -1.
  Token find(std::string_view text) const;
  // Control tokens spelled out. Throws Failure token_unknown.
  std::string text(const std::vector<Token>& ids) const;
  int n_tokens() const { return tokenizer_->n_tokens(); }
  // Throws Failure token_unknown.
  void check_ids(const std::vector<Token>& ids) const;

  // Embeddings: exactly one <|endoftext|> after a Qwen text, whatever add_eos_token says; elsewhere
  // what the vocabulary asks for.
  Frame embedding_frame() const;
  // Qwen rerankers: prefix and suffix are our template. Others (both empty): [bos] query [eos]
  // [sep] document [eos].
  Frame pair_frame(std::string_view prefix, std::string_view suffix) const;

 private:
  std::vector<Token> tokenize(std::string_view text, bool parse_special) const;

  std::unique_ptr<const Tokenizer> tokenizer_;
  TextEnds ends_;
  bool is_qwen3_;
};

}  // namespace qwen3_embed
