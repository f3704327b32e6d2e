#include "core/file/facts.h"

#include <gguf.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/file/checks.h"
#include "core/file/gguf_reader.h"

namespace qwen3_embed {
namespace {

// llama.cpp's architectures that embed or rank; its other ones were not checked against its
// assertions.
constexpr std::array<const char*, 13> kArchitectures = {
    "qwen3",           "bert",         "nomic-bert",  "nomic-bert-moe", "neo-bert",
    "jina-bert-v2",    "jina-bert-v3", "modern-bert", "eurobert",       "qwen2",
    "gemma-embedding", "llama",        "llama-embed"};
std::string shown(double value) {
  std::string text = std::to_string(value);
  return std::isfinite(value) ? text : "not a finite number";
}

}  // namespace

void Checks::fatal(Code code, const std::string& what, const std::string& remedy) {
  const std::string& path = file.paths().front();
  if (!collect_) throw Failure{code, what + " (" + path + ").", {{"path", path}}, remedy};
  facts.findings.push_back({true, what, remedy, code});
}

void Checks::note(const std::string& what, const std::string& remedy) {
  facts.findings.push_back({false, what, remedy, Code::model_invalid});
}

bool Checks::has_type(const std::string& key, uint32_t type, const char* name) {
  const std::optional<uint32_t> found = file.type_of(key);
  if (!found) return false;
  if (*found == type) return true;
  fatal(Code::model_invalid, "Expected " + key + " to be " + name + " but it is of another type");
  return false;
}

std::optional<int64_t> Checks::count(const std::string& key, int64_t least, int64_t most) {
  if (!has_type(key, GGUF_TYPE_UINT32, "a u32")) return std::nullopt;
  const int64_t value = *file.integer(key);
  if (value >= least && value <= most) return value;
  fatal(Code::model_invalid, "Expected " + key + " from " + std::to_string(least) + " to " +
                                 std::to_string(most) + " but it is " + std::to_string(value));
  return std::nullopt;
}

std::optional<double> Checks::number(const std::string& key, double least, double most) {
  if (!has_type(key, GGUF_TYPE_FLOAT32, "an f32")) return std::nullopt;
  const double value = *file.real(key);
  if (value >= least && value <= most) return value;  // false for NaN
  fatal(Code::model_invalid, "Expected " + key + " from " + shown(least) + " to " + shown(most) +
                                 " but it is " + shown(value));
  return std::nullopt;
}

std::optional<bool> Checks::flag(const std::string& key) {
  if (!has_type(key, GGUF_TYPE_BOOL, "a boolean")) return std::nullopt;
  return file.boolean(key);
}

std::optional<std::string> Checks::word(const std::string& key) {
  if (!has_type(key, GGUF_TYPE_STRING, "a string")) return std::nullopt;
  return file.text(key);
}

int64_t Checks::need_count(const std::string& key, int64_t least, int64_t most) {
  if (!file.type_of(key)) fatal(Code::model_invalid, "Expected " + key + " but it is missing");
  return count(key, least, most).value_or(least);
}

double Checks::need_number(const std::string& key, double least, double most) {
  if (!file.type_of(key)) fatal(Code::model_invalid, "Expected " + key + " but it is missing");
  return number(key, least, most).value_or(least);
}

Facts read_facts(const Gguf& file, bool collect) {
  Facts facts;
  facts.fingerprint = file.fingerprint();
  facts.file_bytes = file.file_bytes();
  Checks checks(file, facts, collect);

  facts.name = checks.word("general.name").value_or("");
  const std::optional<std::string> architecture = checks.word("general.architecture");
  if (!architecture) {
    checks.fatal(Code::model_invalid, "Expected general.architecture but it is missing");
    return facts;
  }
  facts.architecture = *architecture;
  if (std::find(kArchitectures.begin(), kArchitectures.end(), facts.architecture) ==
      kArchitectures.end()) {
    checks.fatal(Code::model_unsupported,
                 "Expected a model that embeds or ranks but its architecture is " +
                     in_quotes(facts.architecture),
                 "Use a Qwen3-Embedding or Qwen3-Reranker GGUF, or one of the BERT, Jina, Gemma, "
                 "Qwen2 or Llama family.");
    return facts;
  }
  facts.is_qwen3 = facts.architecture == "qwen3";
  describe_layout(checks);

  check_hyperparameters(checks);
  const Tokens tokens = check_vocabulary(checks);
  check_tensors(checks);
  find_head(checks, tokens);
  if (facts.is_qwen3) check_qwen3_tokens(checks, tokens);
  return facts;
}

}  // namespace qwen3_embed
