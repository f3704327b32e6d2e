// What a chat model is told, in the words of its own template.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file/facts.h"
#include "core/text/llama_tokenizer.h"

struct llama_model;

namespace qwen3_embed {

struct ChatPrompt {
  std::vector<Token> head;  // up to what the user says: the same for all calls of one kind
  std::vector<Token> rest;  // never empty
};

class ChatTemplate {
 public:
  // Throws Failure model_unsupported where the file has no template, or one that llama.cpp does not
  // know.
  ChatTemplate(const std::shared_ptr<llama_model>& model, const Facts& facts,
               const std::string& path);

  // What is said is text: tokens of control in it are spelt out. Throws Failure text_too_long.
  ChatPrompt prompt(std::string_view system, std::string_view user) const;

 private:
  const LlamaTokenizer tokenizer_;
  std::vector<Token> before_, between_, after_;  // around what system and user say
};

}  // namespace qwen3_embed
