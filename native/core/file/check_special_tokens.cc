#include <gguf.h>

#include <algorithm>

#include "core/file/checks.h"

namespace qwen3_embed {
namespace {

// Pre-tokenizers that put a beginning token in front unless told otherwise.
constexpr const char* kBosPreTokenizers[] = {"llama3",
                                             "llama-v3",
                                             "llama-bpe",
                                             "falcon3",
                                             "falcon-h1",
                                             "pixtral",
                                             "midm-2.0",
                                             "lfm2",
                                             "jina-v5-nano",
                                             "tekken",
                                             "chameleon",
                                             "gemma4",
                                             "granite-embed-multi-311m"};

bool adds_bos_by_name(const std::string& pre) {
  return std::find(std::begin(kBosPreTokenizers), std::end(kBosPreTokenizers), pre) !=
         std::end(kBosPreTokenizers);
}

std::string key_of(const std::string& name) { return kTokenizerPrefix + name; }

// A replacement text longer than this is none.
constexpr size_t kLongestReplacement = 2048;

void check_scores(Checks& checks) {
  const std::string key = key_of("scores");
  const std::optional<uint32_t> type = checks.file.item_type_of(key);
  if ((type != GGUF_TYPE_FLOAT32 && type != GGUF_TYPE_INT32) ||
      checks.file.n_items(key) != static_cast<size_t>(checks.facts.n_vocab)) {
    checks.fatal(Code::model_invalid, "Expected " + key + " to be one number for each of " +
                                          std::to_string(checks.facts.n_vocab) +
                                          " tokens but it is not");
  }
}

// The id llama.cpp ends up with: out of range it keeps its default, and a default out of range is
// none (-1).
int64_t special_id(Checks& checks, const char* name, int64_t default_id) {
  const std::string key = key_of(name) + "_token_id";
  const int64_t n_vocab = checks.facts.n_vocab;
  if (default_id >= n_vocab) default_id = -1;
  const std::optional<int64_t> id = checks.count(key, 0, UINT32_MAX);
  if (!id) return default_id;
  if (*id < n_vocab) return *id;
  checks.note(
      key + " is " + std::to_string(*id) + ", beyond the " + std::to_string(n_vocab) + " tokens",
      "it is ignored");
  return default_id;
}

void need_id(Checks& checks, int64_t id, const char* what) {
  if (id < 0)
    checks.fatal(Code::model_invalid,
                 std::string("Expected ") + what + " token among the tokens but there is none");
}

// llm_tokenizer_ugm takes the first four bytes for the length of a table and the rest for
// replacement texts, of which one may stand for every letter of the input.
void check_charsmap(Checks& checks) {
  const std::string key = key_of("precompiled_charsmap");
  if (!checks.file.type_of(key)) return;
  const std::optional<std::string_view> bytes = checks.file.bytes(key);
  if (!bytes || bytes->size() < 4) {
    return checks.fatal(Code::model_invalid,
                        "Expected " + key + " to be bytes, at least 4, but it is not");
  }
  const auto byte_at = [&](size_t i) { return static_cast<uint64_t>((*bytes)[i] & 0xff); };
  const uint64_t table = byte_at(0) | byte_at(1) << 8 | byte_at(2) << 16 | byte_at(3) << 24;
  if (table + 4 >= bytes->size()) {
    return checks.fatal(Code::model_invalid, "Expected " + key + " to hold a table of " +
                                                 std::to_string(table) +
                                                 " bytes and texts but it has " +
                                                 std::to_string(bytes->size()) + " bytes");
  }
  size_t run = 0;
  for (size_t i = static_cast<size_t>(table) + 4; i < bytes->size(); i++) {
    run = byte_at(i) == 0 ? 0 : run + 1;
    if (run > kLongestReplacement)
      return checks.fatal(Code::model_invalid, "Expected short replacement texts in " + key +
                                                   " but one is over 2048 bytes");
  }
  if (run != 0)
    checks.fatal(Code::model_invalid, "Expected " + key + " to end with a zero but it does not");
}

// llama_vocab::impl::tokenize asserts on the ones that its flags call for, and puts -1 into the
// text for unknown.
void check_special_ids(Checks& checks, const TokenizerKind& tokenizer) {
  const auto& [model, pre, is_bpe] = tokenizer;
  const bool spm = model == "llama", wpm = model == "bert", ugm = model == "t5";
  const bool no_bos = ugm || model == "gemma4" || pre == "glm4" || pre == "chatglm-bpe";
  const int64_t bos = special_id(checks, "bos", spm ? 1 : wpm ? 101 : no_bos ? -1 : 11);
  const int64_t eos = special_id(checks, "eos",
                                 spm                        ? 2
                                 : wpm || model == "gemma4" ? -1
                                 : ugm                      ? 1
                                                            : 11);
  const int64_t unknown = special_id(checks, "unknown", spm ? 0 : wpm ? 100 : ugm ? 2 : -1);
  const int64_t separator = special_id(checks, "seperator", wpm ? 102 : -1);
  for (const char* name : {"eot", "eom", "padding", "mask", "fim_pre", "fim_suf", "fim_mid",
                           "fim_pad", "fim_rep", "fim_sep", "prefix", "suffix", "middle"}) {
    special_id(checks, name, -1);
  }
  const bool adds_bos_anyway = pre == "gemma4" || pre == "granite-embed-multi-311m";
  const bool adds_bos = checks.flag(key_of("add_bos_token"))
                            .value_or(spm || wpm || (is_bpe && adds_bos_by_name(pre)));
  const bool adds_eos = checks.flag(key_of("add_eos_token")).value_or(ugm);
  if (wpm || adds_bos || adds_bos_anyway) need_id(checks, bos, "a beginning");
  if (adds_eos && !wpm) need_id(checks, eos, "an end");
  if (wpm) need_id(checks, separator, "a separator");
  if (wpm || ugm) need_id(checks, unknown, "an unknown");
}

}  // namespace

void check_tokenizer(Checks& checks, const TokenizerKind& tokenizer) {
  check_special_ids(checks, tokenizer);
  if (tokenizer.model == "llama" || tokenizer.model == "t5") check_scores(checks);
  if (tokenizer.model == "t5") check_charsmap(checks);
  for (const char* key : {"add_space_prefix", "remove_extra_whitespaces", "add_sep_token",
                          "normalizer.lowercase", "normalizer.strip_accents"}) {
    checks.flag(key_of(key));
  }
  checks.count(key_of("token_type_count"), 0, 1 << 16);
}

}  // namespace qwen3_embed
