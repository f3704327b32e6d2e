#include "core/generate/token_choice.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/failure.h"
#include "core/machine/backends.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

constexpr int kTopK = 40;
constexpr float kTopP = 0.9F;
constexpr float kTemperature = 0.7F;

// Where so many of the likeliest tokens leave kTopK that the grammar allows, no other one matters:
// a grammar looks at every letter of every token it is given.
constexpr size_t kLikely = 256;

constexpr float kNever = -std::numeric_limits<float>::infinity();

std::string spelling(const llama_vocab* vocab, Token id) {
  std::string text(32, '\0');
  for (;;) {
    const int32_t n =
        llama_token_to_piece(vocab, id, text.data(), static_cast<int32_t>(text.size()), 0, false);
    if (n >= 0) {
      text.resize(static_cast<size_t>(n));
      return text;
    }
    text.resize(static_cast<size_t>(-static_cast<int64_t>(n)));
  }
}

bool is_text(const llama_vocab* vocab, Token id) {
  constexpr int kOthers =
      LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_UNUSED | LLAMA_TOKEN_ATTR_CONTROL;
  return !llama_vocab_is_eog(vocab, id) && (llama_vocab_get_attr(vocab, id) & kOthers) == 0;
}

void apply(llama_sampler* sampler, std::vector<llama_token_data>& tokens, bool sorted,
           int64_t& selected, size_t& n) {
  llama_token_data_array array{tokens.data(), tokens.size(), -1, sorted};
  llama_sampler_apply(sampler, &array);
  selected = array.selected;
  n = array.size;
}

}  // namespace

Spellings::Spellings(const llama_vocab* vocab, const std::string& path) {
  const int n = llama_vocab_n_tokens(vocab);
  ends_.reserve(static_cast<size_t>(n));
  for (Token id = 0; id < n; ++id) {
    const std::string text = is_text(vocab, id) ? spelling(vocab, id) : std::string();
    // A grammar of llama.cpp reads letters up to a NUL.
    if (!text.empty() && text.find('\0') == std::string::npos) {
      usable_.push_back(id);
      bytes_ += text;
    }
    ends_.push_back(bytes_.size());
    if (end_ < 0 && llama_vocab_is_eog(vocab, id)) end_ = id;
  }
  if (end_ >= 0 && !usable_.empty()) return;
  throw Failure{
      Code::model_unsupported,
      "Expected a chat model but the vocabulary of " + path + " has no token that ends an answer.",
      {{"path", path}},
      "Use an instruction-tuned model, converted with its special tokens."};
}

std::string_view Spellings::of(Token id) const {
  const auto i = static_cast<size_t>(id);
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

void Choices::Delete::operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }

Choices::Choices(const llama_vocab* vocab, const Spellings& spellings, const std::string& grammar,
                 uint32_t seed)
    : spellings_(spellings) {
  // An empty one would allow everything, to the last assertion.
  if (!grammar.empty()) {
    take_llama_log();
    grammar_.reset(llama_sampler_init_grammar(vocab, grammar.c_str(), "root"));
  }
  if (!grammar_) {
    throw Failure{Code::compute,
                  "llama.cpp refused the grammar: " + take_llama_log() + ".",
                  {},
                  "This is a defect: please report it with the grammar."};
  }
  chain_.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  if (!chain_) throw no_memory();
  llama_sampler_chain_add(chain_.get(), llama_sampler_init_top_k(kTopK));
  llama_sampler_chain_add(chain_.get(), llama_sampler_init_top_p(kTopP, 1));
  llama_sampler_chain_add(chain_.get(), llama_sampler_init_temp(kTemperature));
  llama_sampler_chain_add(chain_.get(), llama_sampler_init_dist(seed));
}

Token Choices::choose(const float* logits) {
  const std::vector<Token>& usable = spellings_.usable();
  for (const Token id : usable) {
    const float logit = logits[id];
    if (std::isnan(logit) || logit == -kNever) {
      throw Failure{Code::non_finite,
                    "The model computed no number for a token.",
                    {},
                    "The file is damaged, or its weights overflow: download it again."};
    }
  }
  // Equal ones by number, so that the order is one.
  const auto is_likelier = [&](Token a, Token b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  likely_.resize(std::min(kLikely, usable.size()));
  std::partial_sort_copy(usable.begin(), usable.end(), likely_.begin(), likely_.end(), is_likelier);
  keep_allowed(likely_, logits);
  if (allowed_.size() < kTopK && likely_.size() < usable.size()) {
    keep_allowed(usable, logits);
    std::sort(allowed_.begin(), allowed_.end(),
              [&](const llama_token_data& a, const llama_token_data& b) {
                return is_likelier(a.id, b.id);
              });
  }
  if (allowed_.empty()) {
    throw Failure{Code::model_unsupported,
                  "No token of the model's vocabulary goes on with the answer's form.",
                  {},
                  "Use a model whose vocabulary spells all bytes."};
  }
  add_to_digest();
  int64_t selected = -1;
  size_t n = 0;
  apply(chain_.get(), allowed_, true, selected, n);
  if (selected < 0 || static_cast<size_t>(selected) >= n) {
    throw Failure{Code::compute, "llama.cpp drew no token.", {}};
  }
  const Token chosen = allowed_[static_cast<size_t>(selected)].id;
  utf8_.take(spellings_.of(chosen));
  text_ += spellings_.of(chosen);
  llama_sampler_accept(grammar_.get(), chosen);
  return chosen;
}

// FNV-1a.
void Choices::add_to_digest() {
  for (size_t i = 0; i < std::min<size_t>(allowed_.size(), kTopK); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &allowed_[i].logit, sizeof bits);
    for (const uint32_t word : {static_cast<uint32_t>(allowed_[i].id), bits}) {
      for (int shift = 0; shift < 32; shift += 8)
        digest_ = (digest_ ^ (word >> shift & 0xFF)) * 16777619;
    }
  }
}

void Choices::keep_allowed(const std::vector<Token>& tokens, const float* logits) {
  allowed_.clear();
  for (const Token id : tokens) {
    Utf8Prefix after = utf8_;
    if (logits[id] != kNever && after.take(spellings_.of(id)))
      allowed_.push_back({id, logits[id], 0});
  }
  if (allowed_.empty()) return;
  int64_t selected = -1;
  size_t n = 0;
  apply(grammar_.get(), allowed_, false, selected, n);
  allowed_.erase(std::remove_if(allowed_.begin(), allowed_.end(),
                                [](const llama_token_data& one) { return one.logit == kNever; }),
                 allowed_.end());
}

bool Choices::is_complete() {
  if (!utf8_.is_whole()) return false;
  // Asked of the grammar: whether the answer may end here.
  std::vector<llama_token_data> end = {{spellings_.end(), 0, 0}};
  int64_t selected = -1;
  size_t n = 0;
  apply(grammar_.get(), end, false, selected, n);
  return end.front().logit != kNever;
}

}  // namespace qwen3_embed
