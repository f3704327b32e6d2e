#include <string>

#include "core/file/checks.h"
#include "core/file/gguf_reader.h"

namespace qwen3_embed {
namespace {

constexpr int64_t kUnknownType = 2, kUserDefinedType = 4;  // llama_token_type; control lies between

void find_qwen3_head(Checks& checks, const Tokens& tokens) {
  Facts& facts = checks.facts;
  const bool embeds = facts.pooling.has_value() && facts.pooling != Pooling::rank;
  if (checks.file.tensor("cls.output.weight") != nullptr) {
    facts.head = Head::cls;
    facts.n_labels = 2;
    const std::vector<std::string> usual = {"yes", "no"};
    if (facts.labels.empty()) {
      checks.note("qwen3.classifier.output_labels is missing",
                  "the head's rows are taken for yes and no, in that order");
    } else if (facts.labels != usual) {
      std::string found;
      for (const std::string& label : facts.labels)
        found += (found.empty() ? "" : ", ") + in_quotes(label);
      checks.fatal(
          Code::model_unsupported,
          "Expected a head with the labels yes and no, in that order, but they are " + found,
          "Use a Qwen3-Reranker file converted by llama.cpp.");
    }
    if (embeds) {
      checks.note("the file has a head for ranking but its pooling_type is one for embedding",
                  "it is taken for a reranker");
    }
    return;
  }
  if (embeds) return;
  if (tokens.find("yes") >= 0 && tokens.find("no") >= 0) {
    facts.head = Head::yes_no;
    facts.n_labels = 2;
  }
  if (facts.pooling == Pooling::rank) {
    if (facts.head == Head::yes_no) {
      checks.note("the head cls.output.weight is missing",
                  "it is ranked by the rows of the tokens yes and no");
    } else {
      checks.fatal(
          Code::model_invalid,
          "Expected a head (cls.output.weight) or the tokens yes and no but there is neither");
    }
  }
}

}  // namespace

void find_head(Checks& checks, const Tokens& tokens) {
  Facts& facts = checks.facts;
  if (facts.is_qwen3) return find_qwen3_head(checks, tokens);
  const GgufTensor* rows = checks.file.tensor("cls.output.weight");
  if (rows == nullptr && facts.architecture == "jina-bert-v2")
    rows = checks.file.tensor("cls.weight");
  // Outputs are copied by the number of labels whatever the head's width (llama_context::encode).
  const int64_t n_labels = facts.labels.empty() ? 1 : static_cast<int64_t>(facts.labels.size());
  if (rows != nullptr) {
    facts.head = Head::cls;
    facts.n_labels = static_cast<int>(rows->shape[1]);
    if (rows->shape[0] != facts.n_embd || rows->shape[1] != n_labels) {
      checks.fatal(Code::model_invalid, "Expected a head of " + std::to_string(n_labels) +
                                            " rows but " + rows->name + " has " +
                                            std::to_string(rows->shape[1]));
    }
  } else if (facts.pooling == Pooling::rank) {
    checks.fatal(Code::model_invalid,
                 "Expected a head (cls.output.weight) for pooling_type 4 but there is none");
  }
}

void check_qwen3_tokens(Checks& checks, const Tokens& tokens) {
  Facts& facts = checks.facts;
  const Gguf& file = checks.file;
  const std::string end = "<|endoftext|>";
  const auto missing = [&](const std::string& text) {
    checks.fatal(Code::model_unsupported,
                 "Expected the token " + text + " of Qwen3's prompts but the vocabulary has none",
                 "Use a Qwen3-Embedding or Qwen3-Reranker file.");
  };
  if (tokens.find(end) < 0) missing(end);
  // Emb-4B and Emb-8B have no <think>; a file that ranks needs all of them, and as special tokens:
  // llama.cpp would spell others out. <|im_end|> it makes one itself (llama_vocab::impl::load).
  const bool ranks = facts.head == Head::cls || facts.pooling == Pooling::rank;
  for (const std::string text : {"<|im_start|>", "<|im_end|>", "<think>", "</think>"}) {
    const int32_t id = tokens.find(text);
    const int64_t type = id < 0 || tokens.types.empty() ? 1 : tokens.types[static_cast<size_t>(id)];
    const bool special = text == "<|im_end|>" || (type >= kUnknownType && type <= kUserDefinedType);
    if (id >= 0 && special) continue;
    facts.head = ranks ? facts.head : Head::none;
    if (ranks && id < 0) missing(text);
    if (ranks && id >= 0) {
      checks.fatal(Code::model_invalid, "Expected the token " + text +
                                            " to be a special one but its type is " +
                                            std::to_string(type));
    }
  }
  const int32_t start = tokens.find("<|im_start|>");
  if (start >= 0 && !tokens.types.empty() &&
      tokens.types[static_cast<size_t>(start)] == kUserDefinedType) {
    checks.note("<|im_start|> is a user-defined token, not a control token",
                "a text that contains it is tokenized with it");
  }

  const std::string pre = file.text("tokenizer.ggml.pre").value_or("");
  if (facts.tokenizer.rfind("gpt2", 0) != 0 || pre.empty() || pre == "default") {
    checks.fatal(Code::model_unsupported,
                 "Expected tokenizer gpt2 with pre-tokenizer qwen2 but they are " +
                     in_quotes(file.text("tokenizer.ggml.model").value_or("")) + " and " +
                     in_quotes(pre),
                 "Convert the model anew: with any other pre-tokenizer its vectors are wrong.");
  } else if (pre != "qwen2" && pre != "deepseek-r1-qwen" && pre != "kormo" && pre != "f2llmv2") {
    checks.note("tokenizer.ggml.pre is " + in_quotes(pre) + ", not qwen2",
                "texts are cut as that one says");
  }

  if (!ranks) {
    if (!facts.pooling) checks.note("qwen3.pooling_type is missing", "the last token is pooled");
    const std::optional<bool> adds_eos = file.boolean("tokenizer.ggml.add_eos_token");
    if (!adds_eos.value_or(false)) {
      checks.note(
          std::string("tokenizer.ggml.add_eos_token is ") + (adds_eos ? "false" : "missing"),
          "the end token is appended anyway");
    }
    const std::optional<int64_t> eos = file.integer("tokenizer.ggml.eos_token_id");
    if (eos && tokens.find(end) >= 0 && *eos != tokens.find(end)) {
      checks.note("tokenizer.ggml.eos_token_id is " + std::to_string(*eos) + ", not " + end,
                  end + " (" + std::to_string(tokens.find(end)) + ") is appended all the same");
    }
  } else if (file.boolean("tokenizer.ggml.add_eos_token").value_or(false)) {
    checks.note("tokenizer.ggml.add_eos_token is true",
                "no end token is appended to a prompt for ranking");
  }
  if (file.boolean("tokenizer.ggml.add_bos_token").value_or(false)) {
    checks.note("tokenizer.ggml.add_bos_token is true",
                "no token is put in front: Qwen3 was trained without");
  }
}

}  // namespace qwen3_embed
