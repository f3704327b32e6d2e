#include "core/generate/chat_prompt.h"

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

// Stand for what is said while a template is rendered: nothing that one would trim or have itself.
constexpr const char* kSystem = "[qwen3-embed: system]";
constexpr const char* kUser = "[qwen3-embed: user]";

void append(std::vector<Token>& ids, const LlamaTokenizer& tokenizer, std::string_view text,
            bool parse_special) {
  if (text.empty()) return;
  const std::vector<Token> found = tokenizer.tokenize(text, parse_special);
  ids.insert(ids.end(), found.begin(), found.end());
}

Failure unknown_template(const std::string& path, const std::string& why) {
  return {Code::model_unsupported,
          "Expected a chat model but " + path + " " + why + ".",
          {{"path", path}},
          "Use an instruction-tuned model of the Qwen or Llama family (its name says Instruct or "
          "Chat), converted with its chat template."};
}

// Empty where llama.cpp does not know the template: it knows them by marks of their text, and
// renders them by code of its own.
std::string rendered(const char* text, bool thinks) {
  const std::array<llama_chat_message, 2> messages = {{{"system", kSystem}, {"user", kUser}}};
  std::string out(1024, '\0');
  for (;;) {
    const int32_t n = llama_chat_apply_template(text, messages.data(), messages.size(), true,
                                                out.data(), static_cast<int32_t>(out.size()));
    if (n < 0) return {};
    const bool fits = static_cast<size_t>(n) <= out.size();
    out.resize(static_cast<size_t>(n));
    if (fits) return thinks ? out.append(kNoThought) : out;
  }
}

}  // namespace

ChatTemplate::ChatTemplate(const std::shared_ptr<llama_model>& model, const Facts& facts,
                           const std::string& path)
    : tokenizer_(model, facts) {
  const char* text = llama_model_chat_template(model.get(), nullptr);
  if (text == nullptr || *text == '\0') throw unknown_template(path, "has no chat template");
  const bool thinks = std::string_view(text).find(kSwitch) != std::string_view::npos;
  const std::string sample = rendered(text, thinks);
  const std::string_view view(sample);
  const size_t system = view.find(kSystem), user = view.find(kUser);
  if (system == std::string::npos || user == std::string::npos || user < system)
    throw unknown_template(path, "has a chat template that llama.cpp does not know");
  const size_t system_end = system + std::string_view(kSystem).size();
  const size_t user_end = user + std::string_view(kUser).size();
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  const llama_token bos = llama_vocab_bos(vocab);
  if (llama_vocab_get_add_bos(vocab) && bos >= 0) before_.push_back(bos);
  append(before_, tokenizer_, view.substr(0, system), true);
  append(between_, tokenizer_, view.substr(system_end, user - system_end), true);
  append(after_, tokenizer_, view.substr(user_end), true);
}

ChatPrompt ChatTemplate::prompt(std::string_view system, std::string_view user) const {
  if (system.size() + user.size() > kMostBytes) {
    throw Failure{Code::text_too_long,
                  "expected at most " + std::to_string(kMostBytes) + " bytes but received " +
                      std::to_string(system.size() + user.size()) + ".",
                  {{"bytes", static_cast<int64_t>(system.size() + user.size())},
                   {"limit", static_cast<int64_t>(kMostBytes)}},
                  "Split the text into passages."};
  }
  ChatPrompt prompt{before_, {}};
  append(prompt.head, tokenizer_, system, false);
  prompt.head.insert(prompt.head.end(), between_.begin(), between_.end());
  append(prompt.rest, tokenizer_, user, false);
  prompt.rest.insert(prompt.rest.end(), after_.begin(), after_.end());
  if (prompt.rest.empty()) {
    throw Failure{Code::text_empty, "Expected a question but it has no tokens.", {}};
  }
  return prompt;
}

}  // namespace qwen3_embed
