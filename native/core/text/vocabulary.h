// Segments -> one sequence: what surrounds a text, what may be cut, and how long the whole may be.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file/facts.h"
#include "core/road/sequence.h"

struct llama_model;
struct llama_vocab;

namespace qwen3_embed {

// The fixed token runs around the texts of a job: lead, head, joint, body, trail. Only the body is
// ever cut.
struct Frame {
  std::vector<Token> lead;   // (n_lead)
  std::vector<Token> joint;  // between head and body, for rankers that separate a pair with a token
  std::vector<Token>
      trail;  // (n_trail): the end token of an embedding, the suffix of a rerank prompt
  // An instruction and its query are one string: BPE may merge across the seam.
  bool head_joins_body = false;
};

struct Prompt {
  Sequence sequence;
  int n_tokens;  // before any cut, everything included
  int n_cut;
};

class Vocabulary {
 public:
  // Borrows the vocabulary of a model that is loaded anyway.
  Vocabulary(std::shared_ptr<llama_model> model, const Facts& facts);
  // Loads the vocabulary alone; about 0.2 s for 151,669 tokens.
  Vocabulary(const Gguf& file, const Facts& facts);

  // User text: control tokens spelled out in it stay text.
  std::vector<Token> plain(std::string_view text) const { return tokenize(text, false); }
  // Template text of ours.
  std::vector<Token> special(std::string_view text) const { return tokenize(text, true); }
  // The id of a token by its text, or -1.
  Token find(std::string_view text) const;
  // Control tokens spelled out. Throws Failure token_unknown.
  std::string text(const std::vector<Token>& ids) const;
  int n_tokens() const;

  // Embeddings: exactly one <|endoftext|> after a Qwen text, whatever add_eos_token says; elsewhere
  // what the vocabulary asks for.
  Frame embedding_frame() const;
  // Qwen rerankers: prefix and suffix are our template. Others (both empty): [bos] query [eos]
  // [sep] document [eos].
  Frame pair_frame(std::string_view prefix, std::string_view suffix) const;

 private:
  std::vector<Token> tokenize(std::string_view text, bool parse_special) const;

  std::shared_ptr<llama_model> model_;
  const llama_vocab* vocab_;
  bool is_qwen3_;
};

// A text, or the tokens a caller made of it.
struct Body {
  const std::string& text;
  const std::vector<Token>* ids = nullptr;
};

// `limit` is the longest sequence the model takes. Throws Failure text_too_long (facts: tokens,
// limit) when the whole does not fit and `truncate` is false, or when it cannot fit even without
// its body; token_unknown for an id the vocabulary lacks; text_empty when there is nothing to run.
Prompt build_prompt(const Vocabulary& vocabulary, const Frame& frame, const std::string& head,
                    const Body& body, int limit, bool truncate);

}  // namespace qwen3_embed
