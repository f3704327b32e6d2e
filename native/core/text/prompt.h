// A prompt being made: a value the lane steps, so that a long text can be left between two slices.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text/vocabulary.h"

namespace qwen3_embed {

class PromptInProgress {
 public:
  PromptInProgress(const Vocabulary& vocabulary, const Frame& frame,
                   std::shared_ptr<const std::string> head, std::string body, int limit,
                   bool truncate)
      : vocabulary_(vocabulary),
        frame_(frame),
        head_(std::move(head)),
        body_(std::move(body)),
        limit_(limit),
        truncate_(truncate) {}
  PromptInProgress(const Vocabulary& vocabulary, const Frame& frame,
                   std::shared_ptr<const std::string> head, std::vector<Token> ids, int limit,
                   bool truncate)
      : vocabulary_(vocabulary),
        frame_(frame),
        head_(std::move(head)),
        ids_(std::move(ids)),
        limit_(limit),
        truncate_(truncate) {}

  bool step() {
    prompt_ = build_prompt(vocabulary_, frame_, *head_, {body_, ids_ ? &*ids_ : nullptr}, limit_,
                           truncate_);
    return true;
  }
  Prompt take() { return std::move(prompt_); }

 private:
  const Vocabulary& vocabulary_;
  const Frame& frame_;
  std::shared_ptr<const std::string> head_;
  std::string body_;
  std::optional<std::vector<Token>> ids_;
  int limit_;
  bool truncate_;
  Prompt prompt_;
};

}  // namespace qwen3_embed
