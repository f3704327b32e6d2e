#include "core/text/vocabulary.h"

#include <utility>

#include "core/failure.h"
#include "core/text/byte_level.h"
#include "core/text/llama_tokenizer.h"

namespace qwen3_embed {
namespace {

constexpr std::string_view kEndOfText = "<|endoftext|>";

std::unique_ptr<const Tokenizer> make_tokenizer(const Gguf& file, const Facts& facts,
                                                std::shared_ptr<llama_model> model) {
  if (std::unique_ptr<const Tokenizer> own = ByteLevelTokenizer::make(file)) return own;
  if (model) return std::make_unique<LlamaTokenizer>(std::move(model), facts);
  return LlamaTokenizer::load(file, facts);
}

}  // namespace

Vocabulary::Vocabulary(const Gguf& file, const Facts& facts, std::shared_ptr<llama_model> model)
    : tokenizer_(make_tokenizer(file, facts, std::move(model))),
      ends_(tokenizer_->ends()),
      is_qwen3_(facts.is_qwen3) {}

std::vector<Token> Vocabulary::tokenize(std::string_view text, bool parse_special) const {
  std::vector<Token> ids, more;
  const std::unique_ptr<TokenStream> stream = tokenizer_->stream(text, parse_special);
  for (bool done = text.empty(); !done;) {
    more.clear();
    const TokenStream::Step step = stream->step(more);
    ids.resize(ids.size() - step.n_taken_back);
    ids.insert(ids.end(), more.begin(), more.end());
    done = step.done;
  }
  return ids;
}

Token Vocabulary::find(std::string_view text) const {
  const std::vector<Token> ids = tokenize(text, true);
  if (ids.size() != 1) return -1;
  return text == tokenizer_->spelling(ids[0]) ? ids[0] : -1;
}

void Vocabulary::check_ids(const std::vector<Token>& ids) const {
  for (const Token id : ids) {
    if (id >= 0 && id < n_tokens()) continue;
    throw Failure{Code::token_unknown,
                  "expected token ids from 0 to " + std::to_string(n_tokens() - 1) +
                      " but received " + std::to_string(id) + ".",
                  {{"token", static_cast<int64_t>(id)}},
                  "Tokenise with this model's own tokenizer, or send text."};
  }
}

std::string Vocabulary::text(const std::vector<Token>& ids) const {
  check_ids(ids);
  return tokenizer_->text(ids);
}

Frame Vocabulary::embedding_frame() const {
  Frame frame;
  frame.head_joins_body = true;
  if (is_qwen3_) {
    const Token end = find(kEndOfText);
    frame.trail = {end < 0 ? ends_.eos : end};
    return frame;
  }
  frame.lead = ends_.lead;
  frame.trail = ends_.trail;
  return frame;
}

Frame Vocabulary::pair_frame(std::string_view prefix, std::string_view suffix) const {
  Frame frame;
  if (!prefix.empty() || !suffix.empty()) {
    frame.lead = special(prefix);
    frame.trail = special(suffix);
    return frame;
  }
  const Token end = ends_.eos >= 0 ? ends_.eos : ends_.sep;
  if (ends_.add_bos) frame.lead = {ends_.bos};
  if (ends_.add_eos) {
    frame.joint = {end};
    frame.trail = {end};
  }
  if (ends_.add_sep) frame.joint.push_back(ends_.sep);
  return frame;
}

}  // namespace qwen3_embed
