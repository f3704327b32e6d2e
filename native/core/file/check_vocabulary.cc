#include <gguf.h>

#include <algorithm>
#include <array>

#include "core/file/checks.h"
#include "core/file/gguf_reader.h"
#include "core/text/byte_letters.h"

namespace qwen3_embed {
namespace {

// llama_vocab::impl::load knows these pre-tokenizers of byte-pair vocabularies.
constexpr const char* kPreTokenizers[] = {"",
                                          "default",
                                          "a.x-4.0",
                                          "afmoe",
                                          "bailingmoe",
                                          "bailingmoe2",
                                          "bloom",
                                          "chameleon",
                                          "chatglm-bpe",
                                          "codeshell",
                                          "cohere2moe",
                                          "command-r",
                                          "dbrx",
                                          "deepseek-coder",
                                          "deepseek-llm",
                                          "deepseek-r1-qwen",
                                          "deepseek-v3",
                                          "exaone",
                                          "exaone-moe",
                                          "exaone4",
                                          "f2llmv2",
                                          "falcon",
                                          "falcon-h1",
                                          "falcon3",
                                          "gemma4",
                                          "gigachat",
                                          "glm4",
                                          "gpt-2",
                                          "gpt-4o",
                                          "gpt3-finnish",
                                          "granite-docling",
                                          "granite-embed-multi-311m",
                                          "granite-embed-multi-97m",
                                          "grok-2",
                                          "hunyuan",
                                          "hunyuan-dense",
                                          "hy_v4",
                                          "jais",
                                          "jais-2",
                                          "jina-de",
                                          "jina-es",
                                          "jina-v1-en",
                                          "jina-v2-code",
                                          "jina-v2-de",
                                          "jina-v2-es",
                                          "jina-v5-nano",
                                          "joyai-llm",
                                          "kanana2",
                                          "kimi-k2",
                                          "kormo",
                                          "laguna",
                                          "lfm2",
                                          "llada-moe",
                                          "llama-bpe",
                                          "llama-v3",
                                          "llama3",
                                          "llama4",
                                          "megrez",
                                          "mellum",
                                          "mellum2",
                                          "midm-2.0",
                                          "minerva-7b",
                                          "minicpm5",
                                          "minimax-m2",
                                          "modern-bert",
                                          "mpt",
                                          "olmo",
                                          "phi-2",
                                          "pixtral",
                                          "poro-chat",
                                          "qwen2",
                                          "qwen35",
                                          "refact",
                                          "roberta-bpe",
                                          "sarvam-moe",
                                          "seed-coder",
                                          "smaug-bpe",
                                          "smollm",
                                          "solar-open",
                                          "spark2_5",
                                          "stablelm2",
                                          "starcoder",
                                          "superbpe",
                                          "talkie",
                                          "tekken",
                                          "tiny_aya",
                                          "trillion",
                                          "ufakzeka",
                                          "viking",
                                          "whitespace",
                                          "youtu"};
// Of those, the ones whose tokens are plain UTF-8 instead of GPT-2's byte letters.
constexpr const char* kPlainPreTokenizers[] = {"gemma4", "granite-embed-multi-311m", "sarvam-moe",
                                               "whitespace"};

constexpr size_t kMostTokens = 1 << 20, kMostMerges = 1 << 22;
constexpr size_t kLongestToken = 2048;
// A token that does not decode is written out once for each of its characters (llama_decode_text),
// so memory grows with the square of its length. The largest vocabulary known comes to 43 MiB.
constexpr size_t kMostSquares = size_t{256} << 20;

enum TokenType { kUndefined = 0, kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

template <size_t n>
bool contains(const char* const (&names)[n], const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// gguf_get_arr_str hands out C strings.
std::string_view as_c_string(std::string_view text) { return text.substr(0, text.find('\0')); }

std::string hex_token(int byte) {
  const char* digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
}

class VocabularyChecks {
 public:
  explicit VocabularyChecks(Checks& checks) : checks_(checks) {}

  Tokens run() {
    Tokens tokens;
    if (!read_model() || !read_tokens(tokens)) return tokens;
    check_types(tokens);
    check_bytes(tokens);
    if (is_bpe_) check_merges(tokens);
    check_tokenizer(checks_, {model_, pre_, is_bpe_});
    return tokens;
  }

 private:
  const std::string kPrefix = kTokenizerPrefix;

  void invalid(const std::string& what) { checks_.fatal(Code::model_invalid, what); }

  bool read_model() {
    model_ = checks_.word(kPrefix + "model").value_or("");
    pre_ = checks_.word(kPrefix + "pre").value_or("");
    is_bpe_ = model_ == "gpt2" || model_ == "gemma4" || model_ == "whitespace";
    checks_.facts.tokenizer = model_ == "gpt2" && !pre_.empty() ? model_ + "/" + pre_ : model_;
    if (model_.empty()) {
      invalid("Expected tokenizer.ggml.model but it is missing");
      return false;
    }
    if (!is_bpe_ && model_ != "llama" && model_ != "bert" && model_ != "t5") {
      checks_.fatal(Code::model_unsupported,
                    "Expected tokenizer gpt2, llama, bert, t5, gemma4 or whitespace but it is " +
                        in_quotes(model_));
      return false;
    }
    if (model_ == "gemma4") pre_ = "gemma4";  // as llama.cpp does
    if (is_bpe_ && !contains(kPreTokenizers, pre_)) {
      checks_.fatal(Code::model_unsupported,
                    "Expected a pre-tokenizer that llama.cpp knows but it is " + in_quotes(pre_),
                    "Convert the model anew, or update this package.");
    }
    // Apart they let spaces into llama_vocab::find_bpe_rank, which asserts that there are none.
    if (is_bpe_ && (model_ == "whitespace") != (pre_ == "whitespace")) {
      checks_.fatal(Code::model_unsupported,
                    "Expected tokenizer and pre-tokenizer whitespace together but came " +
                        in_quotes(model_) + " and " + in_quotes(pre_));
    }
    return true;
  }

  bool read_tokens(Tokens& tokens) {
    const size_t n_tokens = checks_.file.n_items(kPrefix + "tokens");
    const auto texts =
        n_tokens > kMostTokens ? std::nullopt : checks_.file.views(kPrefix + "tokens");
    if (!texts || texts->empty()) {
      invalid("Expected tokenizer.ggml.tokens to be 1 to 1048576 strings but " +
              (n_tokens > 0 ? "there are " + std::to_string(n_tokens) + " items"
                            : std::string("it is missing or no such array")));
      return false;
    }
    checks_.facts.n_vocab = static_cast<int>(texts->size());
    tokens = Tokens(n_tokens);
    size_t squares = 0;
    for (size_t id = 0; id < n_tokens; id++) {
      const std::string_view text = as_c_string((*texts)[id]);
      squares += text.size() * text.size();
      if (text.size() > kLongestToken || squares > kMostSquares) {
        invalid("Expected tokens of at most 2048 bytes, and few that long, but token " +
                std::to_string(id) + " has " + std::to_string(text.size()));
        return false;
      }
      // Asserted in llama_vocab::impl::load.
      if (const int32_t other = tokens.add(text); other >= 0) {
        invalid("Expected each token once but " + in_quotes(tokens.text(id)) + " is both " +
                std::to_string(other) + " and " + std::to_string(id));
      }
    }
    return true;
  }

  void check_types(Tokens& tokens) {
    const std::string key = kPrefix + "token_type";
    if (!checks_.file.type_of(key)) return;
    if (checks_.file.item_type_of(key) != GGUF_TYPE_INT32 ||
        checks_.file.n_items(key) != static_cast<size_t>(checks_.facts.n_vocab)) {
      return invalid("Expected " + key + " to be one i32 for each of " +
                     std::to_string(checks_.facts.n_vocab) + " tokens but it is not");
    }
    tokens.types = *checks_.file.integers(key);
    for (size_t id = 0; id < tokens.size(); id++) {
      const int64_t type = tokens.types[id];
      const std::string_view text = tokens.text(id);
      if (type < kUndefined || type > kByte) {
        return invalid("Expected token types from 0 to 6 but token " + std::to_string(id) +
                       " has " + std::to_string(type));
      }
      // llama_vocab::impl::token_to_byte takes the fourth and fifth letter, and aborts for bert.
      if (type == kByte && (model_ == "bert" || text.size() < 5)) {
        return invalid("Expected a byte token like <0x0A> but token " + std::to_string(id) +
                       " is " + in_quotes(text));
      }
    }
  }

  // Without a token for each byte llama.cpp drops text silently (byte-pair) or throws while it
  // tokenizes (llama).
  void check_bytes(const Tokens& tokens) {
    const bool letters = is_bpe_ && !contains(kPlainPreTokenizers, pre_);
    if (!letters && model_ != "llama") return;
    for (int byte = 0; byte < 256; byte++) {
      const bool found =
          letters ? tokens.find(byte_letter(byte)) >= 0
                  : tokens.find(hex_token(byte)) >= 0 ||
                        (byte > 0 && tokens.find(std::string(1, static_cast<char>(byte))) >= 0);
      if (!found)
        return invalid("Expected a token for every byte but there is none for " + hex_token(byte));
    }
  }

  void check_merges(const Tokens& tokens) {
    const std::string key = kPrefix + "merges";
    const size_t n_merges = checks_.file.n_items(key);
    const auto merges = n_merges > kMostMerges ? std::nullopt : checks_.file.views(key);
    if (!merges) {
      if (pre_ == "kimi-k2" && !checks_.file.type_of(key)) return;
      return invalid("Expected " + key + " to be up to 4194304 strings but " +
                     (n_merges > 0 ? "there are " + std::to_string(n_merges) + " items"
                                   : std::string("it is missing or no such array")));
    }
    std::string whole;
    for (size_t i = 0; i < merges->size(); i++) {
      const std::string_view merge = as_c_string((*merges)[i]);
      const size_t space = merge.find(' ', 1);
      if (space == std::string_view::npos || space + 1 == merge.size() ||
          merge.find(' ', space + 1) != std::string_view::npos) {
        return invalid("Expected two parts in merge " + std::to_string(i) + " but it is " +
                       in_quotes(merge));
      }
      // A merge into something that is no token would lose the text.
      whole.assign(merge.substr(0, space)).append(merge.substr(space + 1));
      if (tokens.find(whole) < 0) {
        return invalid("Expected merge " + std::to_string(i) + ", " + in_quotes(merge) +
                       ", to make a token but there is no " + in_quotes(whole));
      }
    }
  }

  Checks& checks_;
  std::string model_, pre_;
  bool is_bpe_ = false;
};

}  // namespace

std::vector<std::string> pre_tokenizers() {
  return {std::begin(kPreTokenizers), std::end(kPreTokenizers)};
}

Tokens check_vocabulary(Checks& checks) { return VocabularyChecks(checks).run(); }

}  // namespace qwen3_embed
