// Damage done to model files: to fields, to sizes, to bytes. Always the same, for the same seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tiny_models.h"

namespace gguf_mutations {

using namespace gguf_builder;

inline std::mt19937 random_bits(20250605);
inline size_t pick(size_t n) { return random_bits() % n; }
template <typename T>
const T& pick(const std::vector<T>& items) {
  return items[pick(items.size())];
}

inline const std::vector<uint64_t> kIntegers = {
    0,          1,          2,          3,          4,          5,         7,
    8,          15,         16,         17,         31,         32,        33,
    63,         64,         65,         100,        127,        128,       255,
    256,        259,        264,        265,        511,        512,       513,
    1024,       4096,       65535,      65536,      1 << 20,    1 << 24,   0x7fffffff,
    0x80000000, 0xfffffffe, 0xffffffff, 1ULL << 32, 1ULL << 60, INT64_MAX, UINT64_MAX};
inline const std::vector<float> kReals = {0.0F,
                                          -0.0F,
                                          1.0F,
                                          -1.0F,
                                          1e-6F,
                                          0.5F,
                                          2.0F,
                                          8.0F,
                                          1e4F,
                                          1e-45F,
                                          3e38F,
                                          -3e38F,
                                          std::numeric_limits<float>::quiet_NaN(),
                                          std::numeric_limits<float>::infinity(),
                                          -std::numeric_limits<float>::infinity()};
inline const std::vector<std::string> kTexts = {"",
                                                "none",
                                                "linear",
                                                "yarn",
                                                "longrope",
                                                "su",
                                                "gpt2",
                                                "llama",
                                                "bert",
                                                "t5",
                                                "rwkv",
                                                "plamo2",
                                                "no_vocab",
                                                "test",
                                                "gemma4",
                                                "whitespace",
                                                "hybriddna",
                                                "qwen2",
                                                "default",
                                                "llama3",
                                                "tekken",
                                                "chameleon",
                                                "glm4",
                                                "kimi-k2",
                                                "gemma4",
                                                "jina-v2-code",
                                                "superbpe",
                                                "afmoe",
                                                "qwen3",
                                                "modern-bert",
                                                "phi-3",
                                                "silu",
                                                "gelu",
                                                " ",
                                                "  ",
                                                "a b c",
                                                "yes",
                                                "<|endoftext|>",
                                                "<mask>",
                                                "[MASK]",
                                                "</s>",
                                                "<0x0A>",
                                                "<0x",
                                                std::string("a\0b", 3),
                                                std::string("\0", 1),
                                                "\xff\xfe",
                                                "\xf7\xbf\xbf\xbf",
                                                std::string(3000, 'x'),
                                                std::string(70000, 'y')};

// Keys that some architecture of ours, or a step common to all, reads.
inline const std::vector<std::string> kKeys = {"vocab_size",
                                               "context_length",
                                               "embedding_length",
                                               "embedding_length_out",
                                               "block_count",
                                               "feed_forward_length",
                                               "expert_feed_forward_length",
                                               "expert_count",
                                               "expert_used_count",
                                               "expert_shared_count",
                                               "expert_group_count",
                                               "expert_group_used_count",
                                               "moe_every_n_layers",
                                               "nextn_predict_layers",
                                               "hidden_activation",
                                               "pooling_type",
                                               "attention.head_count",
                                               "attention.head_count_kv",
                                               "attention.max_alibi_bias",
                                               "attention.clamp_kqv",
                                               "attention.key_length",
                                               "attention.value_length",
                                               "attention.layer_norm_epsilon",
                                               "attention.layer_norm_rms_epsilon",
                                               "attention.causal",
                                               "attention.sliding_window",
                                               "attention.sliding_window_pattern",
                                               "attention.scale",
                                               "attention.key_length_swa",
                                               "attention.value_length_swa",
                                               "rope.dimension_count",
                                               "rope.dimension_count_swa",
                                               "rope.dimension_sections",
                                               "rope.freq_base",
                                               "rope.freq_base_swa",
                                               "rope.scale_linear",
                                               "rope.scaling.type",
                                               "rope.scaling.factor",
                                               "rope.scaling.alpha",
                                               "rope.scaling.attn_factor",
                                               "rope.scaling.original_context_length",
                                               "rope.scaling.finetuned",
                                               "rope.scaling.yarn_log_multiplier",
                                               "rope.scaling.yarn_ext_factor",
                                               "rope.scaling.yarn_attn_factor",
                                               "rope.scaling.yarn_beta_fast",
                                               "rope.scaling.yarn_beta_slow",
                                               "classifier.output_labels",
                                               "dense_2_feat_in",
                                               "dense_2_feat_out",
                                               "dense_3_feat_in",
                                               "dense_3_feat_out",
                                               "final_logit_softcapping",
                                               "attn_logit_softcapping",
                                               "residual_scale",
                                               "embedding_scale",
                                               "logit_scale"};
inline const std::vector<std::string> kGeneralKeys = {"general.alignment",
                                                      "general.name",
                                                      "general.file_type",
                                                      "general.quantization_version",
                                                      "split.count",
                                                      "split.no",
                                                      "split.tensors.count",
                                                      "tokenizer.ggml.model",
                                                      "tokenizer.ggml.pre",
                                                      "tokenizer.ggml.token_type_count",
                                                      "tokenizer.ggml.bos_token_id",
                                                      "tokenizer.ggml.eos_token_id",
                                                      "tokenizer.ggml.eot_token_id",
                                                      "tokenizer.ggml.eom_token_id",
                                                      "tokenizer.ggml.unknown_token_id",
                                                      "tokenizer.ggml.seperator_token_id",
                                                      "tokenizer.ggml.padding_token_id",
                                                      "tokenizer.ggml.mask_token_id",
                                                      "tokenizer.ggml.fim_pre_token_id",
                                                      "tokenizer.ggml.prefix_token_id",
                                                      "tokenizer.ggml.add_bos_token",
                                                      "tokenizer.ggml.add_eos_token",
                                                      "tokenizer.ggml.add_sep_token",
                                                      "tokenizer.ggml.add_space_prefix",
                                                      "tokenizer.ggml.remove_extra_whitespaces",
                                                      "tokenizer.ggml.precompiled_charsmap",
                                                      "tokenizer.ggml.normalizer.lowercase",
                                                      "tokenizer.ggml.normalizer.strip_accents",
                                                      "tokenizer.ggml.suppress_tokens",
                                                      "tokenizer.ggml.scores",
                                                      "tokenizer.ggml.token_type",
                                                      "tokenizer.ggml.merges"};

inline std::string integer_bytes(size_t width) {
  std::string bytes;
  append<uint64_t>(bytes, pick(kIntegers));
  return bytes.substr(0, width);
}

inline std::string value_payload(uint32_t type) {
  std::string payload;
  switch (type) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_INT8:
      return integer_bytes(1);
    case GGUF_TYPE_UINT16:
    case GGUF_TYPE_INT16:
      return integer_bytes(2);
    case GGUF_TYPE_UINT32:
    case GGUF_TYPE_INT32:
      return integer_bytes(4);
    case GGUF_TYPE_UINT64:
    case GGUF_TYPE_INT64:
      return integer_bytes(8);
    case GGUF_TYPE_FLOAT32:
      append<float>(payload, pick(kReals));
      return payload;
    case GGUF_TYPE_FLOAT64:
      append<double>(payload, static_cast<double>(pick(kReals)));
      return payload;
    case GGUF_TYPE_BOOL:
      return std::string(1, static_cast<char>(pick(3)));
    case GGUF_TYPE_STRING:
      append_text(payload, pick(kTexts));
      return payload;
    default: {
      const auto item = static_cast<uint32_t>(pick(13));
      const uint64_t n = pick(5);
      append<uint32_t>(payload, item);
      append<uint64_t>(payload, n);
      for (uint64_t i = 0; i < n && item != GGUF_TYPE_ARRAY; i++) payload += value_payload(item);
      return payload;
    }
  }
}

// The type a key is usually of, by the look of its name.
inline uint32_t usual_type(const std::string& key) {
  for (const char* part : {"epsilon", "freq_base", "factor", "alpha", "scale", "bias", "clamp",
                           "beta", "softcapping", "multiplier"}) {
    if (key.find(part) != std::string::npos) return GGUF_TYPE_FLOAT32;
  }
  for (const char* part :
       {"scaling.type", "general.name", "ggml.model", "ggml.pre", "activation"}) {
    if (key.size() >= std::strlen(part) &&
        key.compare(key.size() - std::strlen(part), std::string::npos, part) == 0) {
      return GGUF_TYPE_STRING;
    }
  }
  for (const char* part : {"add_", "causal", "finetuned", "normalizer", "whitespaces"}) {
    if (key.find(part) != std::string::npos) return GGUF_TYPE_BOOL;
  }
  for (const char* part :
       {"labels", "charsmap", "suppress", "sections", "merges", "scores", "token_type"}) {
    if (key.find(part) != std::string::npos && key.find("count") == std::string::npos)
      return GGUF_TYPE_ARRAY;
  }
  return GGUF_TYPE_UINT32;
}

inline void mutate_array(Builder& file, Builder::Value& value) {
  uint32_t item;
  uint64_t n;
  std::memcpy(&item, value.payload.data(), sizeof item);
  std::memcpy(&n, value.payload.data() + 4, sizeof n);
  if (item == GGUF_TYPE_STRING) {
    std::vector<std::string> items;
    size_t at = 12;
    for (uint64_t i = 0; i < n; i++) {
      uint64_t length;
      std::memcpy(&length, value.payload.data() + at, sizeof length);
      items.push_back(value.payload.substr(at + 8, length));
      at += 8 + length;
    }
    const size_t i = items.empty() ? 0 : pick(items.size());
    switch (pick(7)) {
      case 0:
        items.push_back(pick(kTexts));
        break;
      case 1:
        if (!items.empty()) items.pop_back();
        break;
      case 2:
        if (!items.empty()) items[i] = pick(items);
        break;
      case 3:
        if (!items.empty()) items[i] = pick(kTexts);
        break;
      case 4:
        if (!items.empty()) items[i] += static_cast<char>(pick(256));
        break;
      case 5:
        if (!items.empty() && !items[i].empty()) items[i].erase(pick(items[i].size()), 1);
        break;
      default:
        items.clear();
    }
    file.texts(value.key, items);
    return;
  }
  if (n == 0 || value.payload.size() < 16) return;
  const size_t width = (value.payload.size() - 12) / n;
  switch (pick(3)) {
    case 0: {
      const std::string bytes =
          item == GGUF_TYPE_FLOAT32 ? value_payload(item) : integer_bytes(width);
      value.payload.replace(12 + pick(n) * width, width, bytes.substr(0, width));
      break;
    }
    case 1:
      n--;
      value.payload.resize(value.payload.size() - width);
      break;
    default:
      n++;
      value.payload += std::string(width, '\1');
  }
  std::memcpy(value.payload.data() + 4, &n, sizeof n);
}

inline void mutate_tensor(Builder& file) {
  if (file.tensors.empty()) return;
  Builder::Tensor& tensor = file.tensors[pick(file.tensors.size())];
  if (tensor.shape.empty()) tensor.shape = {1};
  switch (pick(8)) {
    case 0:
      tensor.type = static_cast<int32_t>(pick(45)) - 1;
      break;
    case 1:
      tensor.shape[pick(tensor.shape.size())] = static_cast<int64_t>(pick(kIntegers));
      break;
    case 2:
      tensor.shape[pick(tensor.shape.size())] += 32;
      break;
    case 3:
      if (tensor.shape.size() > 1) std::swap(tensor.shape[0], tensor.shape[1]);
      break;
    case 4:
      tensor.name = pick(file.tensors).name;
      break;
    case 5:
      file.tensors.push_back({pick(kTexts), {32}, static_cast<int32_t>(pick(3))});
      break;
    case 6:
      tensor.shape.resize(pick(6), 1);
      break;
    default:
      file.erase_tensor(std::string(tensor.name));
  }
}

inline void mutate(Builder& file, const std::string& architecture) {
  for (size_t n = 1 + pick(3); n > 0; n--) {
    const size_t way = pick(10);
    Builder::Value& value = file.values[pick(file.values.size())];
    if (way < 2) {
      if (value.type == GGUF_TYPE_ARRAY)
        mutate_array(file, value);
      else
        value.payload = value_payload(value.type);
    } else if (way == 2) {
      value.type = static_cast<uint32_t>(pick(13));
      value.payload = value_payload(value.type);
    } else if (way == 3) {
      if (file.values.size() > 1) file.erase(std::string(value.key));
    } else if (way < 7) {
      const std::string key = pick(2) == 0 ? architecture + "." + pick(kKeys) : pick(kGeneralKeys);
      const uint32_t type = pick(4) == 0 ? static_cast<uint32_t>(pick(13)) : usual_type(key);
      file.set(key, type, value_payload(type));
    } else if (way == 7) {
      Builder::Value* tokens =
          file.find(pick(2) == 0 ? "tokenizer.ggml.tokens" : "tokenizer.ggml.merges");
      if (tokens != nullptr && tokens->type == GGUF_TYPE_ARRAY) mutate_array(file, *tokens);
    } else {
      mutate_tensor(file);
    }
  }
  if (pick(20) == 0) file.alignment = 1ULL << pick(12);
  if (pick(40) == 0) file.version = static_cast<uint32_t>(pick(5));
}

inline void mutate(std::string& bytes, size_t header) {
  for (size_t n = 1 + pick(3); n > 0; n--) {
    const size_t at = pick(std::min(header, bytes.size()));
    switch (pick(7)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << pick(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(pick(256));
        break;
      case 2:
        bytes.replace(at, 4, integer_bytes(4));
        break;
      case 3:
        bytes.replace(at, 8, integer_bytes(8));
        break;
      case 4:
        bytes.erase(at, 1 + pick(16));
        break;
      case 5:
        bytes.insert(at, bytes.substr(pick(bytes.size()), 1 + pick(16)));
        break;
      default:
        if (pick(8) == 0) bytes.resize(at + 1);
    }
    if (bytes.empty()) bytes = "G";
  }
}

// A model that is whole, of a size that may not work.
inline Size random_size() {
  const auto any = [](std::vector<int> sizes) { return pick(sizes); };
  Size size;
  size.n_head = any({1, 1, 2, 2, 3, 4, 8, 16});
  size.n_head_kv = pick(4) == 0 ? any({1, 2, 3, 4, 5, 8}) : pick(2) == 0 ? 1 : size.n_head;
  size.head_dim = any({1, 2, 3, 4, 6, 8, 16, 16, 16, 32, 64, 7, 128});
  size.n_embd =
      pick(3) != 0 ? size.n_head * size.head_dim : any({1, 2, 3, 16, 31, 32, 48, 64, 96, 128});
  size.n_ff = any({1, 2, 3, 16, 32, 64, 64, 96, 100, 128});
  size.n_layer = any({1, 1, 2, 2, 3, 4, 6, 7});
  size.n_ctx = any({1, 2, 16, 63, 64, 64, 512});
  return size;
}

}  // namespace gguf_mutations
