#include "core/generate/chat_prompt.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/failure.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;

// What a template of Qwen3 puts there where thinking is switched off. llama.cpp's own rendering
// knows nothing of it.
constexpr std::string_view kSwitch = "enable_thinking";
constexpr std::string_view kNoThought = "<think>\n\n</think>\n\n";

// As templates trim what is said; llama.cpp takes C strings.
void tidy(std::string& text) {
  std::replace(text.begin(), text.end(), '\0', ' ');
  constexpr const char* kSpace = " \t\r\n\v\f";
  text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
  text.erase(text.find_last_not_of(kSpace) + 1);
}

Failure unknown_template(const std::string& path, const std::string& why) {
  return {Code::model_unsupported,
          "Expected a chat model but " + path + " " + why + ".",
          {{"path", path}},
          "Use an instruction-tuned model of the Qwen or Llama family (its name says Instruct or "
          "Chat), converted with its chat template."};
}

}  // namespace

ChatTemplate::ChatTemplate(std::shared_ptr<llama_model> model, const Facts& facts,
                           const std::string& path)
    : model_(std::move(model)), tokenizer_(model_, facts) {
  const char* found = llama_model_chat_template(model_.get(), nullptr);
  if (found == nullptr || *found == '\0') throw unknown_template(path, "has no chat template");
  template_ = found;
  thinks_ = template_.find(kSwitch) != std::string::npos;
  // A template is known by marks of its text, and rendered by llama.cpp's own code.
  const std::string sample = rendered("Answer.", "Question?");
  const size_t system = sample.find("Answer.");
  if (system == std::string::npos || sample.find("Question?", system) == std::string::npos)
    throw unknown_template(path, "has a chat template that llama.cpp does not know");
}

std::string ChatTemplate::rendered(const std::string& system, const std::string& user) const {
  const std::array<llama_chat_message, 2> messages = {
      {{"system", system.c_str()}, {"user", user.c_str()}}};
  std::string text(system.size() + user.size() + 512, '\0');
  for (;;) {
    const int32_t n =
        llama_chat_apply_template(template_.c_str(), messages.data(), messages.size(), true,
                                  text.data(), static_cast<int32_t>(text.size()));
    if (n < 0) return {};
    const auto n_bytes = static_cast<size_t>(n);
    if (n_bytes <= text.size()) {
      text.resize(n_bytes);
      return thinks_ ? text.append(kNoThought) : text;
    }
    text.assign(n_bytes, '\0');
  }
}

ChatPrompt ChatTemplate::prompt(std::string system, std::string user) const {
  if (system.size() + user.size() > kMostBytes) {
    throw Failure{Code::text_too_long,
                  "expected at most " + std::to_string(kMostBytes) + " bytes but received " +
                      std::to_string(system.size() + user.size()) + ".",
                  {{"bytes", static_cast<int64_t>(system.size() + user.size())},
                   {"limit", static_cast<int64_t>(kMostBytes)}},
                  "Split the text into passages."};
  }
  tidy(system);
  tidy(user);
  const std::string text = rendered(system, user);
  const size_t system_at = text.find(system);
  const size_t user_at = text.find(user, system_at + system.size());
  if (system_at == std::string::npos || user_at == std::string::npos) {
    throw Failure{Code::compute, "The chat template left out what was said.", {}};
  }
  const std::string_view view(text);
  ChatPrompt prompt;
  const auto add = [&](std::vector<Token>& ids, std::string_view part, bool parse_special) {
    if (part.empty()) return;
    const std::vector<Token> found = tokenizer_.tokenize(part, parse_special);
    ids.insert(ids.end(), found.begin(), found.end());
  };
  const llama_vocab* vocab = llama_model_get_vocab(model_.get());
  const llama_token bos = llama_vocab_bos(vocab);
  if (llama_vocab_get_add_bos(vocab) && bos >= 0) prompt.head.push_back(bos);
  const size_t system_end = system_at + system.size(), user_end = user_at + user.size();
  add(prompt.head, view.substr(0, system_at), true);
  add(prompt.head, view.substr(system_at, system.size()), false);
  add(prompt.head, view.substr(system_end, user_at - system_end), true);
  add(prompt.rest, view.substr(user_at, user.size()), false);
  add(prompt.rest, view.substr(user_end), true);
  if (prompt.rest.empty()) {
    throw Failure{Code::text_empty, "Expected a question but it has no tokens.", {}};
  }
  return prompt;
}

}  // namespace qwen3_embed
