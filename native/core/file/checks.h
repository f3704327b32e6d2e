// The checks behind read_facts, one file for each part of a model file. Every one of them stands
// for a promise that llama.cpp or the packed engine takes on trust.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/failure.h"
#include "core/file/facts.h"
#include "core/file/gguf_file.h"

namespace qwen3_embed {

inline constexpr const char* kDamaged =
    "The file is damaged or was converted wrongly; download it again.";

class Checks {
 public:
  Checks(const Gguf& file, Facts& facts, bool collect)
      : file(file), facts(facts), collect_(collect) {}

  const Gguf& file;
  Facts& facts;

  // Throws the Failure, unless all findings are to be collected: so the caller goes on as if the
  // check were absent.
  void fatal(Code code, const std::string& what, const std::string& remedy = kDamaged);
  void note(const std::string& what, const std::string& remedy);

  // Values in the one type llama_model_loader::get_key takes them in: u32, f32, bool, string.
  // Absent: nullopt; of another type or out of range: fatal.
  std::optional<int64_t> count(const std::string& key, int64_t least, int64_t most);
  std::optional<double> number(const std::string& key, double least, double most);
  std::optional<bool> flag(const std::string& key);
  std::optional<std::string> word(const std::string& key);
  // The same, and absent is fatal too.
  int64_t need_count(const std::string& key, int64_t least, int64_t most);
  double need_number(const std::string& key, double least, double most);

 private:
  bool has_type(const std::string& key, uint32_t type, const char* name);
  bool collect_;
};

// Token texts as llama.cpp sees them (llama_vocab::impl::load), found by hash in one flat table:
// a quarter of a million are looked up while a file is checked.
class Tokens {
 public:
  explicit Tokens(size_t n = 0);

  // Gives `text` the next id, unless it has one: returns that, or -1. Takes no more than n.
  int32_t add(std::string_view text);
  int32_t find(std::string_view text) const;
  size_t size() const { return texts_.size(); }
  std::string_view text(size_t id) const { return texts_[id]; }

  std::vector<int64_t> types;  // llama_token_type; empty: all normal

 private:
  struct Slot {
    uint32_t hash;
    int32_t id;  // -1: free
  };
  size_t slot_of(std::string_view text, uint32_t hash) const;
  uint32_t hash_of(std::string_view text) const;

  std::vector<std::string_view> texts_;  // into the Gguf, or into empty_names_
  std::deque<std::string> empty_names_;
  std::vector<Slot> slots_;
  uint64_t seed_;
};

inline constexpr const char* kTokenizerPrefix = "tokenizer.ggml.";
struct TokenizerKind {
  std::string model, pre;  // tokenizer.ggml.model and .pre
  bool is_bpe;
};

void describe_layout(Checks& checks);
void check_hyperparameters(Checks& checks);
Tokens check_vocabulary(Checks& checks);
// Of byte-pair vocabularies: the names tokenizer.ggml.pre may have.
std::vector<std::string> pre_tokenizers();
// Special ids, scores, flags: all that surrounds the tokens themselves.
void check_tokenizer(Checks& checks, const TokenizerKind& tokenizer);
void check_tensors(Checks& checks);
// Head, pooling and the tokens Qwen3's prompts are made of.
void check_qwen3_tokens(Checks& checks, const Tokens& tokens);
void find_head(Checks& checks, const Tokens& tokens);

}  // namespace qwen3_embed
