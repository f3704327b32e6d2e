#include "core/text/vocabulary.h"

#include <algorithm>
#include <limits>

#include "core/failure.h"
#include "core/machine/backends.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

constexpr std::string_view kEndOfText = "<|endoftext|>";

std::shared_ptr<llama_model> load_vocabulary(const Gguf& file) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  std::shared_ptr<llama_model> model(
      llama_model_load_from_file(file.paths().front().c_str(), params), llama_model_free);
  if (model) return model;
  throw Failure{
      Code::model_invalid,
      "llama.cpp refused the vocabulary of " + file.paths().front() + ": " + take_llama_log() + ".",
      {{"path", file.paths().front()}},
      "Convert or download the file again."};
}

void append(std::vector<Token>& ids, const std::vector<Token>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

Failure too_long(const std::string& what, size_t n_tokens, int limit, const std::string& remedy) {
  return Failure{
      Code::text_too_long,
      "expected at most " + std::to_string(limit) + " tokens but " + what + " has " +
          std::to_string(n_tokens) + ".",
      {{"tokens", static_cast<int64_t>(n_tokens)}, {"limit", static_cast<int64_t>(limit)}},
      remedy};
}

}  // namespace

Vocabulary::Vocabulary(const Gguf& file, const Facts& facts)
    : Vocabulary(load_vocabulary(file), facts) {}

Vocabulary::Vocabulary(std::shared_ptr<llama_model> model, const Facts& facts)
    : model_(std::move(model)),
      vocab_(llama_model_get_vocab(model_.get())),
      is_qwen3_(facts.is_qwen3) {}

std::vector<Token> Vocabulary::tokenize(std::string_view text, bool parse_special) const {
  if (text.empty()) return {};
  if (text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max() / 2)) {
    throw Failure{Code::text_too_long,
                  "expected at most 1 GiB but received " + std::to_string(text.size()) + " bytes.",
                  {{"bytes", static_cast<int64_t>(text.size())}},
                  "Split it into passages."};
  }
  const auto n_bytes = static_cast<int32_t>(text.size());
  std::vector<Token> ids(text.size() / 3 + 16);
  for (;;) {
    const int32_t n = llama_tokenize(vocab_, text.data(), n_bytes, ids.data(),
                                     static_cast<int32_t>(ids.size()), false, parse_special);
    if (n >= 0) {
      ids.resize(static_cast<size_t>(n));
      return ids;
    }
    ids.resize(static_cast<size_t>(-static_cast<int64_t>(n)));
  }
}

Token Vocabulary::find(std::string_view text) const {
  const std::vector<Token> ids = tokenize(text, true);
  if (ids.size() != 1) return -1;
  return text == llama_vocab_get_text(vocab_, ids[0]) ? ids[0] : -1;
}

namespace {

void check_ids(const Vocabulary& vocabulary, const std::vector<Token>& ids) {
  for (const Token id : ids) {
    if (id >= 0 && id < vocabulary.n_tokens()) continue;
    throw Failure{Code::token_unknown,
                  "expected token ids from 0 to " + std::to_string(vocabulary.n_tokens() - 1) +
                      " but received " + std::to_string(id) + ".",
                  {{"token", static_cast<int64_t>(id)}},
                  "Tokenise with this model's own tokenizer, or send text."};
  }
}

}  // namespace

std::string Vocabulary::text(const std::vector<Token>& ids) const {
  check_ids(*this, ids);
  std::string out(ids.size() * 8 + 16, '\0');
  for (;;) {
    const int32_t n = llama_detokenize(vocab_, ids.data(), static_cast<int32_t>(ids.size()),
                                       out.data(), static_cast<int32_t>(out.size()), false, true);
    if (n >= 0) {
      out.resize(static_cast<size_t>(n));
      return out;
    }
    out.resize(static_cast<size_t>(-static_cast<int64_t>(n)));
  }
}

int Vocabulary::n_tokens() const { return llama_vocab_n_tokens(vocab_); }

Frame Vocabulary::embedding_frame() const {
  Frame frame;
  frame.head_joins_body = true;
  if (is_qwen3_) {
    Token end = find(kEndOfText);
    if (end < 0) end = llama_vocab_eos(vocab_);
    frame.trail = {end};
    return frame;
  }
  // What llama.cpp puts around a text differs by tokenizer type; a one-letter text shows it.
  const std::string probe = "a";
  std::vector<Token> framed(16);
  const int32_t n = llama_tokenize(vocab_, probe.data(), 1, framed.data(), 16, true, false);
  framed.resize(static_cast<size_t>(std::max(0, n)));
  const std::vector<Token> bare = plain(probe);
  const auto body = std::search(framed.begin(), framed.end(), bare.begin(), bare.end());
  frame.lead.assign(framed.begin(), body);
  if (body != framed.end()) {
    frame.trail.assign(body + static_cast<std::ptrdiff_t>(bare.size()), framed.end());
  }
  return frame;
}

Frame Vocabulary::pair_frame(std::string_view prefix, std::string_view suffix) const {
  Frame frame;
  if (!prefix.empty() || !suffix.empty()) {
    frame.lead = special(prefix);
    frame.trail = special(suffix);
    return frame;
  }
  const Token sep = llama_vocab_sep(vocab_);
  const Token end = llama_vocab_eos(vocab_) >= 0 ? llama_vocab_eos(vocab_) : sep;
  if (llama_vocab_get_add_bos(vocab_)) frame.lead = {llama_vocab_bos(vocab_)};
  if (llama_vocab_get_add_eos(vocab_)) {
    frame.joint = {end};
    frame.trail = {end};
  }
  if (llama_vocab_get_add_sep(vocab_)) frame.joint.push_back(sep);
  return frame;
}

Prompt build_prompt(const Vocabulary& vocabulary, const Frame& frame, const std::string& head,
                    const Body& body, int limit, bool truncate) {
  Prompt prompt{};
  std::vector<Token>& ids = prompt.sequence.ids;
  ids = frame.lead;
  if (!frame.head_joins_body) {
    append(ids, vocabulary.plain(head));
    append(ids, frame.joint);
  }
  std::vector<Token> tail;
  if (body.ids == nullptr) {
    tail = vocabulary.plain(frame.head_joins_body ? head + body.text : body.text);
  } else {
    check_ids(vocabulary, *body.ids);
    if (frame.head_joins_body) tail = vocabulary.plain(head);
    append(tail, *body.ids);
    // Ids that end as a sequence of ours does are whole already.
    if (!frame.trail.empty() && tail.size() >= frame.trail.size() &&
        std::equal(frame.trail.begin(), frame.trail.end(),
                   tail.end() - static_cast<std::ptrdiff_t>(frame.trail.size()))) {
      tail.resize(tail.size() - frame.trail.size());
    }
  }

  const size_t n_fixed = ids.size() + frame.trail.size();
  const size_t n_tokens = n_fixed + tail.size();
  const auto n_limit = static_cast<size_t>(limit);
  if (n_tokens > n_limit && !truncate) {
    throw too_long("the text", n_tokens, limit,
                   "Shorten it, or pass truncate: 'end' to cut its end.");
  }
  if (n_fixed >= n_limit && n_tokens > n_limit) {
    throw too_long(
        "the prompt without its document", n_fixed, limit,
        "Shorten the query or the instruction: cutting the document cannot make it fit.");
  }
  const size_t n_kept = std::min(tail.size(), n_limit - std::min(n_fixed, n_limit));
  ids.insert(ids.end(), tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(n_kept));
  append(ids, frame.trail);
  if (ids.empty()) {
    throw Failure{Code::text_empty,
                  "it has no tokens, and this model adds none of its own.",
                  {},
                  "Leave empty texts out."};
  }
  prompt.n_tokens = static_cast<int>(n_tokens);
  prompt.n_cut = static_cast<int>(tail.size() - n_kept);
  return prompt;
}

}  // namespace qwen3_embed
