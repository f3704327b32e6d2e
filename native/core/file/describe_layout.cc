// What a file holds, for people: which types its tensors have by what they do, and which prompt
// templates it carries.
#include <algorithm>
#include <array>
#include <utility>

#include "core/file/checks.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

// By the name's part after "blk.N."; the first that fits.
constexpr std::array<std::pair<const char*, const char*>, 6> kClasses = {{
    {"norm", "norms"},
    {"attn", "attention"},
    {"ffn", "feed-forward"},
    {"token_embd", "token embeddings"},
    {"cls", "head"},
    {"output.weight", "output"},
}};

std::string class_of(const std::string& name) {
  for (const auto& [part, label] : kClasses) {
    if (name.find(part) != std::string::npos) return label;
  }
  return "other";
}

}  // namespace

void describe_layout(Checks& checks) {
  Facts& facts = checks.facts;
  for (const GgufTensor& tensor : checks.file.tensors()) {
    const std::string label = class_of(tensor.name);
    const std::string type = ggml_type_name(static_cast<ggml_type>(tensor.type));
    auto found = std::find_if(facts.tensor_types.begin(), facts.tensor_types.end(),
                              [&](const TensorTypes& types) { return types.label == label; });
    if (found == facts.tensor_types.end()) {
      found = facts.tensor_types.insert(facts.tensor_types.end(), {label, {}});
    }
    if (std::find(found->types.begin(), found->types.end(), type) == found->types.end()) {
      found->types.push_back(type);
    }
  }
  const std::string prefix = "tokenizer.chat_template";
  for (const std::string& key : checks.file.keys()) {
    if (key == prefix) facts.chat_templates.push_back("default");
    if (key.rfind(prefix + ".", 0) == 0)
      facts.chat_templates.push_back(key.substr(prefix.size() + 1));
  }
}

}  // namespace qwen3_embed
