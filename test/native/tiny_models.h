// One tiny model of each architecture the package takes, whole enough for llama.cpp to run.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gguf_builder.h"

namespace gguf_builder {

struct Size {
  int n_embd = 32, n_ff = 64, n_head = 2, n_head_kv = 1, head_dim = 16, n_layer = 2, n_ctx = 64;
};

inline std::string utf8(uint32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  if (code < 0x800)
    return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
  return {static_cast<char>(0xe0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3f)),
          static_cast<char>(0x80 | (code & 0x3f))};
}

inline const std::vector<std::string>& qwen3_specials() {
  static const std::vector<std::string> texts = {"<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                                 "<think>", "</think>"};
  return texts;
}

// GPT-2's letters for the 256 bytes, three merged words, Qwen3's special tokens.
inline void add_bpe(Builder& file, const std::string& pre = "qwen2") {
  std::vector<std::string> tokens;
  for (uint32_t b = 0x21; b <= 0x7e; b++) tokens.push_back(utf8(b));
  for (uint32_t b = 0xa1; b <= 0xff; b++) {
    if (b != 0xad) tokens.push_back(utf8(b));
  }
  while (tokens.size() < 256)
    tokens.push_back(utf8(0x100 + static_cast<uint32_t>(tokens.size()) - 188));
  for (const char* word : {"ye", "yes", "no"}) tokens.push_back(word);
  std::vector<int32_t> types(tokens.size(), 1);
  for (const std::string& text : qwen3_specials()) {
    tokens.push_back(text);
    types.push_back(text.find("think") == std::string::npos ? 3 : 4);
  }
  file.text("tokenizer.ggml.model", "gpt2");
  file.text("tokenizer.ggml.pre", pre);
  file.texts("tokenizer.ggml.tokens", tokens);
  file.array<int32_t>("tokenizer.ggml.token_type", GGUF_TYPE_INT32, types);
  file.texts("tokenizer.ggml.merges", {"y e", "ye s", "n o"});
  file.u32("tokenizer.ggml.eos_token_id", 259);
  file.u32("tokenizer.ggml.padding_token_id", 259);
  file.boolean("tokenizer.ggml.add_bos_token", 0);
  file.boolean("tokenizer.ggml.add_eos_token", 1);
}

inline void add_spm(Builder& file) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> types = {2, 3, 3};
  std::vector<float> scores = {0, 0, 0};
  for (int b = 0; b < 256; b++) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(b));
    tokens.push_back(text);
    types.push_back(6);
    scores.push_back(0);
  }
  for (const char* word : {"h", "e", "l", "o", "he", "ll", "\xe2\x96\x81"}) {
    tokens.push_back(word);
    types.push_back(1);
    scores.push_back(-static_cast<float>(tokens.size()));
  }
  file.text("tokenizer.ggml.model", "llama");
  file.texts("tokenizer.ggml.tokens", tokens);
  file.array<float>("tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores);
  file.array<int32_t>("tokenizer.ggml.token_type", GGUF_TYPE_INT32, types);
  file.u32("tokenizer.ggml.bos_token_id", 1);
  file.u32("tokenizer.ggml.eos_token_id", 2);
  file.boolean("tokenizer.ggml.add_eos_token", 1);
}

inline void add_wpm(Builder& file) {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (const char* word :
       {"\xe2\x96\x81hello", "\xe2\x96\x81world", "\xe2\x96\x81", "h", "e", "l", "o"}) {
    tokens.push_back(word);
  }
  std::vector<int32_t> types(tokens.size(), 1);
  for (size_t i = 0; i < 5; i++) types[i] = 3;
  file.text("tokenizer.ggml.model", "bert");
  file.texts("tokenizer.ggml.tokens", tokens);
  file.array<int32_t>("tokenizer.ggml.token_type", GGUF_TYPE_INT32, types);
  file.u32("tokenizer.ggml.token_type_count", 2);
  file.u32("tokenizer.ggml.bos_token_id", 2);
  file.u32("tokenizer.ggml.seperator_token_id", 3);
  file.u32("tokenizer.ggml.unknown_token_id", 1);
  file.u32("tokenizer.ggml.padding_token_id", 0);
  file.u32("tokenizer.ggml.mask_token_id", 4);
}

inline void add_ugm(Builder& file) {
  std::vector<std::string> tokens = {"<s>", "<pad>", "</s>", "<unk>"};
  for (const char* word : {"\xe2\x96\x81hello", "\xe2\x96\x81", "h", "e", "l", "o", "w"})
    tokens.push_back(word);
  std::vector<int32_t> types(tokens.size(), 1);
  for (size_t i = 0; i < 4; i++) types[i] = i == 3 ? 2 : 3;
  std::vector<float> scores(tokens.size(), -1.5F);
  // A table whose root has no child, and one empty replacement text.
  std::string charsmap;
  append<uint32_t>(charsmap, 1024);
  charsmap.resize(4 + 1024 + 1);
  file.text("tokenizer.ggml.model", "t5");
  file.texts("tokenizer.ggml.tokens", tokens);
  file.array<float>("tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores);
  file.array<int32_t>("tokenizer.ggml.token_type", GGUF_TYPE_INT32, types);
  file.array<char>("tokenizer.ggml.precompiled_charsmap", GGUF_TYPE_UINT8,
                   {charsmap.begin(), charsmap.end()});
  file.u32("tokenizer.ggml.token_type_count", 1);
  file.u32("tokenizer.ggml.bos_token_id", 0);
  file.u32("tokenizer.ggml.eos_token_id", 2);
  file.u32("tokenizer.ggml.unknown_token_id", 3);
  file.boolean("tokenizer.ggml.add_bos_token", 1);
  file.boolean("tokenizer.ggml.add_eos_token", 1);
}

inline int64_t n_tokens(Builder& file) {
  uint64_t n;
  std::memcpy(&n, file.find("tokenizer.ggml.tokens")->payload.data() + 4, sizeof n);
  return static_cast<int64_t>(n);
}

inline void add_hyperparameters(Builder& file, const std::string& architecture, const Size& size,
                                bool centres, uint32_t pooling) {
  const std::string prefix = architecture + ".";
  file.text("general.architecture", architecture);
  file.text("general.name", "Tiny " + architecture);
  file.u32(prefix + "block_count", static_cast<uint32_t>(size.n_layer));
  file.u32(prefix + "context_length", static_cast<uint32_t>(size.n_ctx));
  file.u32(prefix + "embedding_length", static_cast<uint32_t>(size.n_embd));
  file.u32(prefix + "feed_forward_length", static_cast<uint32_t>(size.n_ff));
  file.u32(prefix + "attention.head_count", static_cast<uint32_t>(size.n_head));
  file.f32(prefix + (centres ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
           1e-6F);
  file.u32(prefix + "pooling_type", pooling);
}

// The decoders: qwen3 and its kin.
inline Builder decoder(const std::string& architecture, int32_t type = GGML_TYPE_F32,
                       const Size& size = {}) {
  Builder file;
  const std::string prefix = architecture + ".";
  const bool qwen3 = architecture == "qwen3", gemma = architecture == "gemma-embedding";
  add_hyperparameters(file, architecture, size, false, gemma ? 1 : 3);
  const int n_kv_heads = architecture == "eurobert" ? size.n_head : size.n_head_kv;
  file.u32(prefix + "attention.head_count_kv", static_cast<uint32_t>(n_kv_heads));
  const int head_dim = qwen3 || gemma
                           ? 2 * size.head_dim
                           : size.head_dim;  // wider than n_embd / n_head, as in Qwen3-0.6B
  if (qwen3 || gemma) {
    file.u32(prefix + "attention.key_length", static_cast<uint32_t>(head_dim));
    file.u32(prefix + "attention.value_length", static_cast<uint32_t>(head_dim));
  }
  file.f32(prefix + "rope.freq_base", 1e6F);
  if (gemma) file.u32(prefix + "attention.sliding_window", 8);
  if (gemma) file.u32(prefix + "attention.sliding_window_pattern", 2);
  if (gemma || architecture == "llama" || architecture == "llama-embed") {
    add_spm(file);
  } else {
    add_bpe(file);
  }
  const int64_t n_q = int64_t{head_dim} * size.n_head, n_kv = int64_t{head_dim} * n_kv_heads;
  file.add("token_embd.weight", {size.n_embd, n_tokens(file)}, type);
  file.add("output_norm.weight", {size.n_embd});
  for (int i = 0; i < size.n_layer; i++) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    file.add(layer + "attn_norm.weight", {size.n_embd});
    file.add(layer + "attn_q.weight", {size.n_embd, n_q}, type);
    file.add(layer + "attn_k.weight", {size.n_embd, n_kv}, type);
    file.add(layer + "attn_v.weight", {size.n_embd, n_kv}, type);
    if (architecture == "qwen2") {
      file.add(layer + "attn_q.bias", {n_q});
      file.add(layer + "attn_k.bias", {n_kv});
      file.add(layer + "attn_v.bias", {n_kv});
    }
    file.add(layer + "attn_output.weight", {n_q, size.n_embd}, type);
    if (qwen3 || gemma) {
      file.add(layer + "attn_q_norm.weight", {head_dim});
      file.add(layer + "attn_k_norm.weight", {head_dim});
    }
    if (gemma) {
      file.add(layer + "post_attention_norm.weight", {size.n_embd});
      file.add(layer + "post_ffw_norm.weight", {size.n_embd});
    }
    file.add(layer + "ffn_norm.weight", {size.n_embd});
    file.add(layer + "ffn_gate.weight", {size.n_embd, size.n_ff}, type);
    file.add(layer + "ffn_up.weight", {size.n_embd, size.n_ff}, type);
    file.add(layer + "ffn_down.weight", {size.n_ff, size.n_embd}, type);
  }
  return file;
}

inline Builder qwen3_embedder(int32_t type = GGML_TYPE_F32, const Size& size = {}) {
  return decoder("qwen3", type, size);
}

inline Builder qwen3_reranker(const Size& size = {}) {
  Builder file = decoder("qwen3", GGML_TYPE_F32, size);
  file.u32("qwen3.pooling_type", 4);
  file.u32("tokenizer.ggml.eos_token_id", 261);
  file.boolean("tokenizer.ggml.add_eos_token", 0);
  file.texts("qwen3.classifier.output_labels", {"yes", "no"});
  file.add("cls.output.weight", {size.n_embd, 2});
  return file;
}

// A reranker converted as a plain language model.
inline Builder qwen3_headless(const Size& size = {}) {
  Builder file = qwen3_reranker(size);
  file.erase("qwen3.pooling_type");
  file.erase("qwen3.classifier.output_labels");
  file.erase_tensor("cls.output.weight");
  return file;
}

// The encoders: bert and its kin.
inline Builder encoder(const std::string& architecture, const Size& size = {}) {
  Builder file;
  const bool rms = architecture == "neo-bert", modern = architecture == "modern-bert";
  const bool nomic = architecture.rfind("nomic", 0) == 0, moe = architecture == "nomic-bert-moe";
  const bool jina2 = architecture == "jina-bert-v2", jina3 = architecture == "jina-bert-v3";
  const bool bert = architecture == "bert";
  const std::string prefix = architecture + ".";
  add_hyperparameters(file, architecture, size, !rms, bert ? 2 : jina2 ? 4 : 1);
  file.boolean(prefix + "attention.causal", 0);
  if (moe || jina3) {
    add_ugm(file);
  } else if (modern || jina2) {
    add_bpe(file, modern ? "modern-bert" : "jina-v2-code");
    file.u32("tokenizer.ggml.token_type_count", 2);
  } else {
    add_wpm(file);
  }
  if (moe) {
    file.u32(prefix + "expert_count", 4);
    file.u32(prefix + "expert_used_count", 2);
    file.u32(prefix + "moe_every_n_layers", 2);
  }
  if (modern) file.u32(prefix + "attention.sliding_window", 8);
  file.add("token_embd.weight", {size.n_embd, n_tokens(file)});
  if (bert || jina2) file.add("token_types.weight", {size.n_embd, 2});
  if (bert) file.add("position_embd.weight", {size.n_embd, size.n_ctx});
  if (!rms) file.add("token_embd_norm.weight", {size.n_embd});
  if (!rms && !modern) file.add("token_embd_norm.bias", {size.n_embd});
  if (rms) file.add("enc.output_norm.weight", {size.n_embd});
  if (modern) file.add("output_norm.weight", {size.n_embd});
  if (jina2) {
    file.add("cls.weight", {size.n_embd, 1});
    file.add("cls.bias", {1});
  }
  for (int i = 0; i < size.n_layer; i++) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    if (rms || modern) {
      file.add(layer + "attn_qkv.weight", {size.n_embd, 3 * size.n_embd});
      file.add(layer + "attn_output.weight", {size.n_embd, size.n_embd});
      if (rms || i > 0) file.add(layer + "attn_norm.weight", {size.n_embd});
      file.add(layer + "ffn_norm.weight", {size.n_embd});
      file.add(layer + "ffn_up.weight", {size.n_embd, 2 * size.n_ff});
      file.add(layer + "ffn_down.weight", {size.n_ff, size.n_embd});
      continue;
    }
    for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      file.add(layer + part + ".weight", {size.n_embd, size.n_embd});
      file.add(layer + part + ".bias", {size.n_embd});
    }
    if (moe && i % 2 == 1) {
      file.add(layer + "ffn_gate_inp.weight", {size.n_embd, 4});
      file.add(layer + "ffn_up_exps.weight", {size.n_embd, size.n_ff, 4});
      file.add(layer + "ffn_down_exps.weight", {size.n_ff, size.n_embd, 4});
    } else {
      file.add(layer + "ffn_up.weight", {size.n_embd, size.n_ff});
      file.add(layer + "ffn_down.weight", {size.n_ff, size.n_embd});
      if (!nomic) file.add(layer + "ffn_up.bias", {size.n_ff});
      file.add(layer + "ffn_down.bias", {size.n_embd});
      if ((nomic && !moe) || jina2) file.add(layer + "ffn_gate.weight", {size.n_embd, size.n_ff});
    }
    for (const char* norm : {"attn_output_norm", "layer_output_norm"}) {
      file.add(layer + norm + ".weight", {size.n_embd});
      file.add(layer + norm + ".bias", {size.n_embd});
    }
  }
  return file;
}

// The first word of a name is the architecture.
inline std::vector<std::pair<std::string, std::function<Builder(const Size&)>>> all_models() {
  std::vector<std::pair<std::string, std::function<Builder(const Size&)>>> models = {
      {"qwen3", [](const Size& size) { return qwen3_embedder(GGML_TYPE_F32, size); }},
      {"qwen3 q8_0", [](const Size& size) { return qwen3_embedder(GGML_TYPE_Q8_0, size); }},
      {"qwen3 reranker", [](const Size& size) { return qwen3_reranker(size); }},
      {"qwen3 headless", [](const Size& size) { return qwen3_headless(size); }}};
  for (const std::string name : {"qwen2", "llama", "llama-embed", "gemma-embedding", "eurobert"}) {
    models.emplace_back(name,
                        [name](const Size& size) { return decoder(name, GGML_TYPE_F32, size); });
  }
  for (const std::string name : {"bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2",
                                 "jina-bert-v3", "modern-bert"}) {
    models.emplace_back(name, [name](const Size& size) { return encoder(name, size); });
  }
  return models;
}

}  // namespace gguf_builder
