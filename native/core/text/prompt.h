// Segments -> one sequence: what surrounds a text, what may be cut, and how long the whole may be.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/road/sequence.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed {

struct Prompt {
  Sequence sequence;
  int n_tokens;  // before any cut, everything included
  int n_cut;
};

// A prompt being made: a value the lane steps, so that a long text can be left between two slices.
class PromptInProgress {
 public:
  // `limit` is the longest sequence the model takes. Vocabulary and frame outlive this.
  PromptInProgress(const Vocabulary& vocabulary, const Frame& frame,
                   std::shared_ptr<const std::string> head, std::string body, int limit,
                   bool truncate);
  // The body is tokens that a caller made of it.
  PromptInProgress(const Vocabulary& vocabulary, const Frame& frame,
                   std::shared_ptr<const std::string> head, std::vector<Token> body, int limit,
                   bool truncate);

  // Tokenises some 64 KiB more, as far as the tokenizer can stop there; true once done.
  // Throws Failure text_too_long (facts: tokens, limit) when the whole does not fit and `truncate`
  // is false, or when it cannot fit even without its body; token_unknown for an id the vocabulary
  // lacks; text_empty when there is nothing to run. A text that is too long is not read to its end:
  // "more than" in the message says that there are more tokens than were counted.
  bool step();
  // Once step() has said true.
  Prompt take();

 private:
  // Tokens of one part of the prompt, of which the first ones are kept.
  struct Part {
    std::vector<Token> ids;
    size_t n_tokens = 0;
    void add(const TokenStream::Step& step, const std::vector<Token>& more, size_t n_kept);
  };

  void check_bytes(const std::string& text) const;
  bool step_text(Part& part, const std::string& text);
  void add_ids();
  void check_length(bool is_all);
  size_t n_fixed() const;

  const Vocabulary& vocabulary_;
  const Frame& frame_;
  const size_t limit_;
  const bool truncate_;
  std::shared_ptr<const std::string> head_;
  std::unique_ptr<const std::string> body_;  // null once it is read, or given as ids
  std::vector<Token> body_ids_;
  std::unique_ptr<TokenStream> stream_;  // of the part being read
  std::vector<Token> more_;
  Part head_part_, body_part_;
  bool head_done_, over_ = false;
};

}  // namespace qwen3_embed
