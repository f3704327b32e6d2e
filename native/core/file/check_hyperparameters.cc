#include <gguf.h>

#include <algorithm>

#include "core/file/checks.h"
#include "core/file/gguf_reader.h"

namespace qwen3_embed {
namespace {

constexpr int64_t kMaxLayers = 512;  // LLAMA_MAX_LAYERS
constexpr int64_t kMaxExperts = 1024;
constexpr double kAnyReal = 1e30;

template <typename... Names>
bool is_one_of(const std::string& text, const Names&... names) {
  return ((text == names) || ...);
}

void check_heads(Checks& checks, const std::string& prefix) {
  Facts& facts = checks.facts;
  facts.n_head = static_cast<int>(checks.need_count(prefix + "attention.head_count", 1, 4096));
  facts.n_head_kv = static_cast<int>(
      checks.count(prefix + "attention.head_count_kv", 1, 4096).value_or(facts.n_head));
  if (facts.n_head % facts.n_head_kv != 0) {
    checks.fatal(
        Code::model_invalid,
        "Expected attention.head_count to be a multiple of attention.head_count_kv but they are " +
            std::to_string(facts.n_head) + " and " + std::to_string(facts.n_head_kv));
  }

  // llama_model_base::load_hparams: each of the two lengths has the same default of its own, and
  // every graph asserts that they are equal.
  const int64_t default_dim = facts.n_embd / facts.n_head;
  const int64_t value_dim =
      checks.count(prefix + "attention.value_length", 1, 4096).value_or(default_dim);
  facts.head_dim = static_cast<int>(
      checks.count(prefix + "attention.key_length", 1, 4096).value_or(default_dim));
  const bool own_width =
      is_one_of(facts.architecture, "qwen3", "llama", "llama-embed", "gemma-embedding");
  if (facts.head_dim < 1 || facts.head_dim != value_dim) {
    checks.fatal(Code::model_invalid,
                 "Expected attention.key_length and value_length to be equal but they are " +
                     std::to_string(facts.head_dim) + " and " + std::to_string(value_dim));
  }
  if (!own_width && int64_t{facts.head_dim} * facts.n_head != facts.n_embd) {
    checks.fatal(Code::model_invalid, "Expected heads that add up to embedding_length " +
                                          std::to_string(facts.n_embd) + " but " +
                                          std::to_string(facts.n_head) + " heads of " +
                                          std::to_string(facts.head_dim) + " do not");
  }
  const bool shares_kv = own_width || is_one_of(facts.architecture, "qwen2", "eurobert");
  if (!shares_kv && facts.n_head_kv != facts.n_head) {
    checks.fatal(Code::model_invalid,
                 "Expected as many key-value heads as heads for architecture " +
                     facts.architecture + " but came " + std::to_string(facts.n_head_kv));
  }
  for (const char* key : {"attention.key_length_swa", "attention.value_length_swa"}) {
    checks.count(prefix + key, facts.head_dim, facts.head_dim);
  }
}

void check_rope(Checks& checks, const std::string& prefix) {
  Facts& facts = checks.facts;
  facts.rope_theta = checks.number(prefix + "rope.freq_base", 1e-3, kAnyReal).value_or(10000);
  checks.number(prefix + "rope.freq_base_swa", 1e-3, kAnyReal);

  const bool whole = is_one_of(facts.architecture, "qwen2", "qwen3", "llama", "llama-embed");
  for (const char* key : {"rope.dimension_count", "rope.dimension_count_swa"}) {
    const int64_t n_rot = checks.count(prefix + key, 2, facts.head_dim).value_or(facts.head_dim);
    if (n_rot % 2 != 0 || (whole && n_rot != facts.head_dim)) {
      checks.fatal(Code::model_invalid, "Expected " + prefix + key + " to be " +
                                            (whole ? "the head size " : "even, up to ") +
                                            std::to_string(facts.head_dim) + " but it is " +
                                            std::to_string(n_rot));
    }
  }

  // load_hparams asserts that it knows the name.
  const std::string scaling = checks.word(prefix + "rope.scaling.type").value_or("none");
  if (!is_one_of(scaling, "none", "linear", "yarn", "longrope")) {
    checks.fatal(Code::model_unsupported,
                 "Expected rope.scaling.type none, linear, yarn or longrope but it is " +
                     in_quotes(scaling));
  }
  double factor = 1;
  for (const char* key : {"rope.scale_linear", "rope.scaling.factor"}) {
    const std::optional<double> given = checks.number(prefix + key, 0, 1e6);
    if (given.value_or(0) != 0) factor = *given;
  }
  for (const char* key : {"rope.scaling.attn_factor", "rope.scaling.alpha"}) {
    checks.number(prefix + key, -kAnyReal, kAnyReal);
  }
  checks.count(prefix + "rope.scaling.original_context_length", 1, 1 << 24);
  checks.flag(prefix + "rope.scaling.finetuned");
  if (facts.architecture == "qwen3" && (is_one_of(scaling, "yarn", "longrope") || factor != 1)) {
    checks.fatal(Code::model_unsupported,
                 "Expected a Qwen3 file without rope scaling but it scales by " +
                     std::to_string(factor) + " (" + scaling + ")",
                 "Use a file converted from the published weights.");
  }
}

// Layers alternate between whole and sliding attention (llama_model_base::load_swa_pattern), and
// the mask of a kind no layer has is never allocated, which
// llm_graph_input_attn_no_cache::set_input asserts.
void check_sliding_window(Checks& checks, const std::string& prefix, int64_t default_pattern,
                          bool dense_first) {
  const std::string key = prefix + "attention.sliding_window_pattern";
  std::vector<int64_t> slides(static_cast<size_t>(checks.facts.n_layer), 0);
  if (checks.file.type_of(key) == GGUF_TYPE_ARRAY) {
    const bool fits = checks.file.n_items(key) <= static_cast<size_t>(kMaxLayers);
    const auto given = fits ? checks.file.integers(key) : std::nullopt;
    if (!given) {
      return checks.fatal(Code::model_invalid,
                          "Expected " + key + " to be at most 512 integers but it is not");
    }
    std::copy_n(given->begin(), std::min(given->size(), slides.size()), slides.begin());
  } else {
    const int64_t n = checks.count(key, 0, kMaxLayers).value_or(default_pattern);
    for (size_t i = 0; i < slides.size(); i++) {
      const int64_t place = n == 0 ? 0 : static_cast<int64_t>(i) % n;
      slides[i] = n == 0 || (dense_first ? place != 0 : place < n - 1);
    }
  }
  const auto n_whole = std::count(slides.begin(), slides.end(), 0);
  if (n_whole == 0 || n_whole == checks.facts.n_layer) {
    checks.fatal(Code::model_unsupported,
                 "Expected layers with whole and with sliding attention but all are of one kind");
  }
}

// Asserted on in load_hparams and, for the last two, where outputs are copied
// (llama_context::encode, decode).
void check_rest(Checks& checks, const std::string& prefix) {
  Facts& facts = checks.facts;
  const bool mixes_experts = facts.architecture == "nomic-bert-moe";
  const int64_t n_expert = mixes_experts
                               ? checks.need_count(prefix + "expert_count", 1, kMaxExperts)
                               : checks.count(prefix + "expert_count", 0, 0).value_or(0);
  if (mixes_experts) checks.need_count(prefix + "expert_used_count", 1, n_expert);
  if (!mixes_experts) checks.count(prefix + "expert_used_count", 0, 0);
  checks.count(prefix + "moe_every_n_layers", 0, kMaxLayers);
  for (const char* key :
       {"expert_group_count", "expert_group_used_count", "nextn_predict_layers"}) {
    checks.count(prefix + key, 0, 0);
  }
  checks.count(prefix + "embedding_length_out", facts.n_embd, facts.n_embd);
  checks.count(prefix + "vocab_size", 0, UINT32_MAX);
  if (!checks.flag(prefix + "attention.causal").value_or(true) && facts.is_qwen3) {
    checks.fatal(Code::model_unsupported,
                 "Expected a Qwen3 file with causal attention but attention.causal is false",
                 "Use a file converted from the published weights.");
  }

  if (facts.architecture == "gemma-embedding") {
    checks.need_count(prefix + "attention.sliding_window", 1, 1 << 24);
    check_sliding_window(checks, prefix, 6, false);
    for (const char* key : {"dense_2_feat_in", "dense_3_feat_out"}) {
      const int64_t width = checks.count(prefix + key, 0, facts.n_embd).value_or(0);
      if (width != 0 && width != facts.n_embd)
        checks.count(prefix + key, facts.n_embd, facts.n_embd);
    }
    for (const char* key : {"dense_2_feat_out", "dense_3_feat_in"})
      checks.count(prefix + key, 0, 1 << 17);
  }
  if (facts.architecture == "modern-bert") {
    if (checks.count(prefix + "attention.sliding_window", 0, 1 << 24).value_or(0) > 0) {
      check_sliding_window(checks, prefix, 3, true);
    }
    checks.word(prefix + "hidden_activation");
  }

  const std::string labels = prefix + "classifier.output_labels";
  if (checks.file.type_of(labels)) {
    const auto texts =
        checks.file.n_items(labels) > 1024 ? std::nullopt : checks.file.texts(labels);
    if (!texts) {
      checks.fatal(Code::model_invalid,
                   "Expected " + labels + " to be at most 1024 strings but it is not");
    } else {
      facts.labels = *texts;
    }
  }
}

void check_pooling(Checks& checks, const std::string& prefix) {
  Facts& facts = checks.facts;
  const std::string key = prefix + "pooling_type";
  const std::optional<int64_t> type = checks.count(key, 0, UINT32_MAX);
  if (!type || *type == UINT32_MAX) return;  // LLAMA_POOLING_TYPE_UNSPECIFIED
  switch (*type) {
    case 0:
      facts.pooling = Pooling::none;
      break;
    case 1:
      facts.pooling = Pooling::mean;
      break;
    case 2:
      facts.pooling = Pooling::cls;
      break;
    case 3:
      facts.pooling = Pooling::last;
      break;
    case 4:
      facts.pooling = Pooling::rank;
      break;
    default:  // llm_graph_context::build_pooling aborts
      checks.fatal(Code::model_unsupported,
                   "Expected " + key + " from 0 to 4 but it is " + std::to_string(*type));
  }
}

}  // namespace

void check_hyperparameters(Checks& checks) {
  Facts& facts = checks.facts;
  const std::string prefix = facts.architecture + ".";
  facts.n_layer = static_cast<int>(checks.need_count(prefix + "block_count", 1, kMaxLayers));
  facts.n_ctx_train = static_cast<int>(checks.need_count(prefix + "context_length", 1, 1 << 24));
  facts.n_embd = static_cast<int>(checks.need_count(prefix + "embedding_length", 1, 1 << 17));
  facts.n_ff = static_cast<int>(checks.need_count(prefix + "feed_forward_length", 1, 1 << 20));
  check_heads(checks, prefix);
  check_rope(checks, prefix);

  // ggml_norm and ggml_rms_norm assert that it is not negative.
  const bool centres = is_one_of(facts.architecture, "bert", "nomic-bert", "nomic-bert-moe",
                                 "jina-bert-v2", "jina-bert-v3", "modern-bert");
  facts.rms_eps = checks.need_number(
      prefix + (centres ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"), 0,
      1);
  check_rest(checks, prefix);
  check_pooling(checks, prefix);
}

}  // namespace qwen3_embed
