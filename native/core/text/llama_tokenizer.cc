#include "core/text/llama_tokenizer.h"

#include <algorithm>
#include <array>
#include <exception>
#include <limits>

#include "core/failure.h"
#include "core/machine/backends.h"
#include "core/machine/thread.h"
#include "core/text/unicode.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

// Byte-pair pre-tokenizers that llama.cpp splits by hand. All others it gives to std::regex, which
// recurses for each character that a repetition takes.
constexpr std::array<std::string_view, 38> kSplitByHand = {"chatglm-bpe",
                                                           "dbrx",
                                                           "deepseek-r1-qwen",
                                                           "f2llmv2",
                                                           "falcon3",
                                                           "falcon-h1",
                                                           "gemma4",
                                                           "gigachat",
                                                           "glm4",
                                                           "gpt-2",
                                                           "granite-docling",
                                                           "grok-2",
                                                           "hunyuan",
                                                           "jais",
                                                           "jina-de",
                                                           "jina-es",
                                                           "jina-v1-en",
                                                           "jina-v2-code",
                                                           "jina-v2-de",
                                                           "jina-v2-es",
                                                           "jina-v5-nano",
                                                           "kimi-k2",
                                                           "kormo",
                                                           "laguna",
                                                           "llama-bpe",
                                                           "llama-v3",
                                                           "llama3",
                                                           "megrez",
                                                           "midm-2.0",
                                                           "modern-bert",
                                                           "mpt",
                                                           "olmo",
                                                           "pixtral",
                                                           "qwen2",
                                                           "qwen35",
                                                           "smaug-bpe",
                                                           "stablelm2",
                                                           "trillion"};

constexpr size_t kStackBytes = size_t{512} << 20, kStackPerByte = 1024;
constexpr size_t kMostRecursed = kStackBytes / kStackPerByte;
// A space as byte pairs and as SentencePiece spell it.
constexpr const char *kLetterOfSpace = "\xc4\xa0", *kMarkOfSpace = "\xe2\x96\x81";
constexpr size_t kPartBytes = size_t{1} << 16;
// Fits any stack of ours.
constexpr size_t kShort = 512;
constexpr size_t kMostDigits = 2000;

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class InParts final : public TokenStream {
 public:
  InParts(const LlamaTokenizer& tokenizer, std::string_view text, bool parse_special,
          size_t n_bytes)
      : tokenizer_(tokenizer), rest_(text), parse_special_(parse_special), n_bytes_(n_bytes) {}

  Step step(std::vector<Token>& ids) override {
    const Cut cut = find_cut(rest_, n_bytes_, tokenizer_.cut_space());
    const std::vector<Token> found = tokenizer_.tokenize(rest_.substr(0, cut.end), parse_special_);
    ids.insert(ids.end(), found.begin(), found.end());
    rest_.remove_prefix(cut.next);
    return {rest_.empty()};
  }

 private:
  const LlamaTokenizer& tokenizer_;
  std::string_view rest_;
  const bool parse_special_;
  const size_t n_bytes_;
};

size_t longest_number(std::string_view text) {
  size_t longest = 0, begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    at += next.n_bytes;
    if (class_of(next.code) != CharClass::kNumber) begin = at;
    longest = std::max(longest, at - begin);
  }
  return longest;
}

Failure beyond_reach(size_t n_bytes, size_t most, const std::string& why) {
  return {Code::text_too_long,
          "expected at most " + std::to_string(most) + " bytes but received " +
              std::to_string(n_bytes) + why + ".",
          {{"bytes", static_cast<int64_t>(n_bytes)}, {"limit", static_cast<int64_t>(most)}},
          "Split it into passages."};
}

}  // namespace

std::unique_ptr<LlamaTokenizer> LlamaTokenizer::load(const Gguf& file, const Facts& facts) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const std::string& path = file.paths().front();
  std::shared_ptr<llama_model> model(llama_model_load_from_file(path.c_str(), params),
                                     llama_model_free);
  if (model) return std::make_unique<LlamaTokenizer>(std::move(model), facts);
  throw Failure{Code::model_invalid,
                "llama.cpp refused the vocabulary of " + path + ": " + take_llama_log() + ".",
                {{"path", path}},
                "Convert or download the file again."};
}

LlamaTokenizer::LlamaTokenizer(std::shared_ptr<llama_model> model, const Facts& facts)
    : model_(std::move(model)), vocab_(llama_model_get_vocab(model_.get())) {
  const enum llama_vocab_type type = llama_vocab_type(vocab_);
  const size_t slash = facts.tokenizer.find('/');
  const std::string pre = slash == std::string::npos ? "" : facts.tokenizer.substr(slash + 1);
  recurses_ =
      type == LLAMA_VOCAB_TYPE_BPE && facts.tokenizer != "gemma4" && !contains(kSplitByHand, pre);
  compares_digits_ = pre == "superbpe";
  // The other types fold spaces or drop characters; so do mask tokens that take spaces with them.
  const bool keeps_all = (type == LLAMA_VOCAB_TYPE_BPE || type == LLAMA_VOCAB_TYPE_SPM) &&
                         pre.compare(0, 7, "jina-v2") != 0 && pre != "modern-bert";
  for (Token id = 0; keeps_all && id < n_tokens(); ++id)
    longest_ = std::max(longest_, spelling(id).size());
  cut_space_ = find_cut_space();
}

// That no token reaches over a cut is asked of the vocabulary; what the tokenizer does to the space
// there, of itself: its options for that are not public.
CutSpace LlamaTokenizer::find_cut_space() const {
  const enum llama_vocab_type type = llama_vocab_type(vocab_);
  const bool has_words = type == LLAMA_VOCAB_TYPE_BPE || type == LLAMA_VOCAB_TYPE_WPM ||
                         type == LLAMA_VOCAB_TYPE_SPM || type == LLAMA_VOCAB_TYPE_UGM;
  if (!has_words || !tokens_end_at_cuts()) return CutSpace::none;
  for (const CutSpace guess : {CutSpace::stays, CutSpace::goes}) {
    if (parts_are_whole(guess)) return guess;
  }
  return CutSpace::none;
}

bool LlamaTokenizer::tokens_end_at_cuts() const {
  for (Token id = 0; id < n_tokens(); ++id) {
    const std::string text = spelling(id);
    if (llama_vocab_get_attr(vocab_, id) & LLAMA_TOKEN_ATTR_NORMAL) {
      for (const std::string_view spelled : {kLetterOfSpace, kMarkOfSpace, " "}) {
        if (spans_words(text, spelled)) return false;
      }
    } else if (may_stand_at_cut(text)) {
      return false;
    }
  }
  return true;
}

bool LlamaTokenizer::parts_are_whole(CutSpace space) const {
  for (const std::string_view text : {"a b", "the end", "x 12 yes", "7 3"}) {
    const Cut cut = find_cut(text, 0, space);
    std::vector<Token> parts = tokenize_here(text.substr(0, cut.end), false, false);
    const std::vector<Token> more = tokenize_here(text.substr(cut.next), false, false);
    parts.insert(parts.end(), more.begin(), more.end());
    if (parts != tokenize_here(text, false, false)) return false;
  }
  return true;
}

std::unique_ptr<TokenStream> LlamaTokenizer::stream(std::string_view text,
                                                    bool parse_special) const {
  return stream(text, parse_special, kPartBytes);
}

std::unique_ptr<TokenStream> LlamaTokenizer::stream(std::string_view text, bool parse_special,
                                                    size_t n_bytes) const {
  return std::make_unique<InParts>(*this, text, parse_special, n_bytes);
}

std::vector<Token> LlamaTokenizer::tokenize(std::string_view text, bool parse_special) const {
  constexpr size_t kMost = std::numeric_limits<int32_t>::max() / 2;
  if (text.size() > kMost) throw beyond_reach(text.size(), kMost, "");
  if (!recurses_ || text.size() <= kShort) return tokenize_here(text, false, parse_special);
  if (text.size() > kMostRecursed) {
    throw beyond_reach(text.size(), kMostRecursed,
                       ", and llama.cpp's pre-tokenizer of this model needs stack for every one");
  }
  if (compares_digits_ && longest_number(text) > kMostDigits) {
    throw beyond_reach(longest_number(text), kMostDigits,
                       " of one number, which takes time that grows with its square");
  }
  std::vector<Token> ids;
  std::exception_ptr error;
  Thread(
      [&] {
        try {
          ids = tokenize_here(text, false, parse_special);
        } catch (...) {
          error = std::current_exception();
        }
      },
      kStackBytes)
      .join();
  if (error) std::rethrow_exception(error);
  return ids;
}

std::vector<Token> LlamaTokenizer::tokenize_here(std::string_view text, bool add_special,
                                                 bool parse_special) const {
  const auto n_bytes = static_cast<int32_t>(text.size());
  std::vector<Token> ids(text.size() / 3 + 16);
  for (;;) {
    const int32_t n = llama_tokenize(vocab_, text.data(), n_bytes, ids.data(),
                                     static_cast<int32_t>(ids.size()), add_special, parse_special);
    if (n >= 0) {
      ids.resize(static_cast<size_t>(n));
      return ids;
    }
    ids.resize(static_cast<size_t>(-static_cast<int64_t>(n)));
  }
}

std::string LlamaTokenizer::text(const std::vector<Token>& ids) const {
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

int LlamaTokenizer::n_tokens() const { return llama_vocab_n_tokens(vocab_); }

std::string LlamaTokenizer::spelling(Token id) const { return llama_vocab_get_text(vocab_, id); }

TextEnds LlamaTokenizer::ends() const {
  TextEnds ends;
  ends.bos = llama_vocab_bos(vocab_);
  ends.eos = llama_vocab_eos(vocab_);
  ends.sep = llama_vocab_sep(vocab_);
  ends.add_bos = llama_vocab_get_add_bos(vocab_);
  ends.add_eos = llama_vocab_get_add_eos(vocab_);
  ends.add_sep = llama_vocab_get_add_sep(vocab_);
  // What it puts around a text differs by type; a one-letter text shows it.
  const std::vector<Token> framed = tokenize_here("a", true, false);
  const std::vector<Token> bare = tokenize_here("a", false, false);
  const auto body = std::search(framed.begin(), framed.end(), bare.begin(), bare.end());
  ends.lead.assign(framed.begin(), body);
  if (body != framed.end())
    ends.trail.assign(body + static_cast<std::ptrdiff_t>(bare.size()), framed.end());
  return ends;
}

}  // namespace qwen3_embed
