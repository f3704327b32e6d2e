// What read_facts says of good files, and what it says of each thing that can be wrong with one.
#include "core/file/facts.h"

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "check.h"
#include "core/failure.h"
#include "tiny_models.h"

namespace {

using namespace qwen3_embed;
using namespace gguf_builder;

const Folder folder;

Facts facts_of(const Builder& file, bool collect = false) {
  const Gguf gguf(folder.write("model.gguf", file.build()));
  return read_facts(gguf, collect);
}

bool has_note(const Facts& facts, const std::string& words) {
  for (const Finding& finding : facts.findings) {
    if (!finding.fatal && finding.what.find(words) != std::string::npos)
      return !finding.remedy.empty();
  }
  return false;
}

void expect(const Builder& file, Code code, const std::string& words, int line) {
  std::string came = "no failure", message;
  try {
    facts_of(file);
  } catch (const Failure& failure) {
    came = code_name(failure.code);
    message = failure.sentence();
  }
  check::report(came == code_name(code), "failure code", __FILE__, line, came + " " + message);
  check::report(message.find(words) != std::string::npos, "failure message", __FILE__, line,
                message);
  bool found = false;
  for (const Finding& finding : facts_of(file, true).findings) {
    found = found || (finding.fatal && finding.code == code &&
                      finding.what.find(words) != std::string::npos);
  }
  check::report(found, "finding", __FILE__, line, words);
}
#define INVALID(file, words) expect(file, Code::model_invalid, words, __LINE__)
#define UNSUPPORTED(file, words) expect(file, Code::model_unsupported, words, __LINE__)

template <typename Change>
Builder changed(Change change, Builder file = qwen3_embedder()) {
  change(file);
  return file;
}

std::vector<std::string> tokens_of(Builder& file,
                                   const std::string& key = "tokenizer.ggml.tokens") {
  return *Gguf(folder.write("tokens.gguf", file.build())).texts(key);
}

void test_good_files() {
  for (const auto& [name, make] : all_models()) {
    const Facts facts = facts_of(make(Size{}));
    CHECK(facts.n_layer == 2 && facts.n_embd == 32 && facts.n_ff == 64 && facts.n_head == 2 &&
          facts.n_ctx_train == 64);
    CHECK(facts.is_qwen3 == (name.rfind("qwen3", 0) == 0));
    CHECK(facts.architecture == name.substr(0, name.find(' ')) && facts.fingerprint.size() == 32);
  }
  const Facts embedder = facts_of(qwen3_embedder());
  CHECK(embedder.head_dim == 32 && embedder.n_head_kv == 1 && embedder.n_vocab == 264);
  CHECK(embedder.pooling == Pooling::last && embedder.head == Head::none && embedder.n_labels == 0);
  CHECK(embedder.quantisation == "F32" && embedder.tokenizer == "gpt2/qwen2" &&
        embedder.name == "Tiny qwen3");
  CHECK(embedder.rope_theta == 1e6 && embedder.findings.empty());
  CHECK(embedder.n_parameters ==
        264 * 32 + 32 + 2 * (2 * 32 + 2 * 32 * 64 + 2 * 32 * 32 + 2 * 32 + 3 * 32 * 64));
  CHECK(facts_of(qwen3_embedder(GGML_TYPE_Q8_0)).quantisation == "Q8_0");
  const Facts reranker = facts_of(qwen3_reranker());
  CHECK(reranker.head == Head::cls && reranker.n_labels == 2 && reranker.pooling == Pooling::rank);
  CHECK((reranker.labels == std::vector<std::string>{"yes", "no"}) && reranker.findings.empty());
  const Facts headless = facts_of(qwen3_headless());
  CHECK(headless.head == Head::yes_no && headless.n_labels == 2 && !headless.pooling);
  const Facts jina = facts_of(encoder("jina-bert-v2"));
  CHECK(jina.head == Head::cls && jina.n_labels == 1 && jina.pooling == Pooling::rank);
}

void test_notes() {
  const auto noted = [](auto change, const std::string& words, Builder file = qwen3_embedder()) {
    return has_note(facts_of(changed(change, std::move(file))), words);
  };
  CHECK(noted([](Builder& b) { b.erase("tokenizer.ggml.add_eos_token"); },
              "add_eos_token is missing"));
  CHECK(noted([](Builder& b) { b.boolean("tokenizer.ggml.add_eos_token", 0); },
              "add_eos_token is false"));
  CHECK(noted([](Builder& b) { b.boolean("tokenizer.ggml.add_bos_token", 1); },
              "add_bos_token is true"));
  CHECK(noted([](Builder& b) { b.erase("qwen3.pooling_type"); }, "pooling_type is missing"));
  CHECK(
      noted([](Builder& b) { b.u32("tokenizer.ggml.eos_token_id", 261); }, "eos_token_id is 261"));
  CHECK(noted([](Builder& b) { b.u32("tokenizer.ggml.eos_token_id", 9999); },
              "beyond the 264 tokens"));
  CHECK(noted([](Builder& b) { b.text("tokenizer.ggml.pre", "qwen35"); }, "not qwen2"));
  CHECK(noted([](Builder& b) { b.tensor("token_embd.weight")->shape[1] += 8; },
              "272 rows for 264 tokens"));
  CHECK(noted([](Builder& b) { b.erase_tensor("cls.output.weight"); },
              "head cls.output.weight is missing", qwen3_reranker()));
  CHECK(noted([](Builder& b) { b.erase("qwen3.classifier.output_labels"); },
              "output_labels is missing", qwen3_reranker()));
  CHECK(noted([](Builder& b) { b.u32("qwen3.pooling_type", 3); }, "one for embedding",
              qwen3_reranker()));
  CHECK(noted([](Builder& b) { b.boolean("tokenizer.ggml.add_eos_token", 1); },
              "add_eos_token is true", qwen3_reranker()));
  // Qwen3-Embedding-4B and -8B have no thinking tokens.
  Builder plain = qwen3_embedder();
  std::vector<std::string> tokens = tokens_of(plain);
  tokens[262] = "<|box_start|>";
  tokens[263] = "<|box_end|>";
  plain.texts("tokenizer.ggml.tokens", tokens);
  CHECK(facts_of(plain).findings.empty());
}

void test_architecture() {
  INVALID(changed([](Builder& b) { b.erase("general.architecture"); }), "general.architecture");
  INVALID(changed([](Builder& b) { b.u32("general.architecture", 1); }), "string");
  INVALID(changed([](Builder& b) { b.u32("general.name", 1); }), "general.name");
  for (const char* name : {"mamba", "clip", "qwen4", "", "t5encoder"}) {
    UNSUPPORTED(changed([&](Builder& b) { b.text("general.architecture", name); }), "architecture");
  }
}

void test_hyperparameters() {
  const auto u32 = [](const std::string& key, uint32_t value) {
    return changed([&](Builder& b) { b.u32("qwen3." + key, value); });
  };
  const auto f32 = [](const std::string& key, float value) {
    return changed([&](Builder& b) { b.f32("qwen3." + key, value); });
  };
  for (const char* key : {"block_count", "context_length", "embedding_length",
                          "feed_forward_length", "attention.head_count"}) {
    INVALID(u32(key, 0), key);
    INVALID(u32(key, UINT32_MAX), key);
    INVALID(changed([&](Builder& b) { b.erase(std::string("qwen3.") + key); }), "missing");
    INVALID(changed([&](Builder& b) { b.i32(std::string("qwen3.") + key, 2); }), "u32");
  }
  INVALID(u32("block_count", 513), "512");
  INVALID(u32("block_count", 3), "blk.2.attn_norm.weight");
  UNSUPPORTED(u32("block_count", 1), "blk.1.attn_norm.weight");
  INVALID(u32("attention.head_count_kv", 0), "head_count_kv");
  INVALID(changed([](Builder& b) {
            b.u32("qwen3.attention.head_count", 3);
            b.u32("qwen3.attention.head_count_kv", 2);
          }),
          "multiple");
  INVALID(u32("attention.key_length", 16), "equal");
  INVALID(changed([](Builder& b) { b.erase("qwen3.attention.value_length"); }), "equal");
  INVALID(u32("attention.key_length_swa", 8), "key_length_swa");
  INVALID(u32("rope.dimension_count", 16), "head size");
  INVALID(u32("rope.dimension_count", 64), "dimension_count");
  INVALID(changed([](Builder& b) { b.text("qwen3.rope.scaling.factor", "4"); }), "f32");
  UNSUPPORTED(changed([](Builder& b) { b.text("qwen3.rope.scaling.type", "bogus"); }),
              "rope.scaling.type");
  UNSUPPORTED(changed([](Builder& b) { b.text("qwen3.rope.scaling.type", "yarn"); }),
              "rope scaling");
  UNSUPPORTED(f32("rope.scaling.factor", 4), "rope scaling");
  CHECK(facts_of(f32("rope.scaling.factor", 1)).findings.empty());
  for (float value : {-1.0F, 2.0F, std::numeric_limits<float>::quiet_NaN(),
                      std::numeric_limits<float>::infinity()}) {
    INVALID(f32("attention.layer_norm_rms_epsilon", value), "epsilon");
  }
  for (float value : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(),
                      std::numeric_limits<float>::infinity()}) {
    INVALID(f32("rope.freq_base", value), "freq_base");
  }
  INVALID(changed([](Builder& b) { b.erase("qwen3.attention.layer_norm_rms_epsilon"); }),
          "epsilon");
  UNSUPPORTED(changed([](Builder& b) { b.boolean("qwen3.attention.causal", 0); }), "causal");
  INVALID(u32("expert_count", 8), "expert_count");
  INVALID(u32("expert_used_count", 2), "expert_used_count");
  INVALID(u32("expert_group_count", 1), "expert_group_count");
  INVALID(u32("nextn_predict_layers", 1), "nextn_predict_layers");
  INVALID(u32("embedding_length_out", 16), "embedding_length_out");
  UNSUPPORTED(u32("pooling_type", 5), "pooling_type");
  CHECK(!facts_of(u32("pooling_type", UINT32_MAX)).pooling);
  INVALID(changed([](Builder& b) { b.u32("qwen3.classifier.output_labels", 2); }), "output_labels");
}

void test_other_architectures() {
  const auto model = [](const std::string& name, auto change) {
    const bool decodes = name == "qwen2" || name == "llama" || name == "gemma-embedding";
    return changed(change, decodes ? decoder(name) : encoder(name));
  };
  INVALID(model("bert", [](Builder& b) { b.u32("bert.attention.head_count", 3); }), "add up");
  INVALID(model("bert", [](Builder& b) { b.u32("bert.attention.key_length", 8); }), "equal");
  INVALID(model("bert", [](Builder& b) { b.u32("bert.attention.head_count_kv", 1); }),
          "key-value heads");
  INVALID(model("qwen2", [](Builder& b) { b.u32("qwen2.rope.dimension_count", 8); }), "head size");
  INVALID(model("nomic-bert-moe", [](Builder& b) { b.u32("nomic-bert-moe.expert_used_count", 5); }),
          "expert_used");
  INVALID(model("nomic-bert-moe", [](Builder& b) { b.erase("nomic-bert-moe.expert_count"); }),
          "expert_count");
  INVALID(model("gemma-embedding",
                [](Builder& b) { b.erase("gemma-embedding.attention.sliding_window"); }),
          "window");
  UNSUPPORTED(
      model("gemma-embedding",
            [](Builder& b) { b.erase("gemma-embedding.attention.sliding_window_pattern"); }),
      "one kind");
  UNSUPPORTED(model("modern-bert",
                    [](Builder& b) {
                      b.array<uint32_t>("modern-bert.attention.sliding_window_pattern",
                                        GGUF_TYPE_UINT32, {1, 1});
                    }),
              "one kind");
  INVALID(model("gemma-embedding", [](Builder& b) { b.u32("gemma-embedding.dense_2_feat_in", 8); }),
          "dense_2_feat_in");
  INVALID(model("gemma-embedding",
                [](Builder& b) {
                  b.add("dense_2.weight", {32, 64});
                }),
          "dense_3");
  INVALID(model("jina-bert-v2", [](Builder& b) { b.tensor("blk.1.ffn_up.weight")->shape[1] = 96; }),
          "ffn_up");
  INVALID(model("jina-bert-v2",
                [](Builder& b) {
                  b.texts("jina-bert-v2.classifier.output_labels", {"a", "b"});
                }),
          "2 rows");
  INVALID(model("jina-bert-v2", [](Builder& b) { b.erase_tensor("cls.weight"); }), "head");
  UNSUPPORTED(
      model("bert", [](Builder& b) { b.tensor("token_types.weight")->type = GGML_TYPE_F16; }),
      "token_types");
  UNSUPPORTED(
      model("bert", [](Builder& b) { b.tensor("blk.0.attn_q.bias")->type = GGML_TYPE_F16; }),
      "f32");
  INVALID(model("bert", [](Builder& b) { b.tensor("token_embd.weight")->shape[1] = 9; }),
          "token_embd");
}

void test_vocabulary() {
  const auto tokens = [](auto change) {
    Builder file = qwen3_embedder();
    std::vector<std::string> texts = tokens_of(file);
    change(texts);
    file.texts("tokenizer.ggml.tokens", texts);
    return file;
  };
  using Texts = std::vector<std::string>;
  INVALID(tokens([](Texts& t) { t[257] = t[256]; }), "each token once");
  INVALID(tokens([](Texts& t) { t[257] = t[256] + std::string("\0more", 5); }), "each token once");
  INVALID(tokens([](Texts& t) { t.pop_back(); }), "token_type");
  INVALID(tokens([](Texts& t) { t[5] = "##"; }), "every byte");
  INVALID(tokens([](Texts& t) { t[257] = std::string(2049, 'x'); }), "2048");
  INVALID(tokens([](Texts& t) { t.clear(); }), "tokenizer.ggml.tokens");
  UNSUPPORTED(tokens([](Texts& t) { t[259] = "<end>"; }), "<|endoftext|>");
  CHECK(facts_of(tokens([](Texts& t) { t[262] = ""; })).n_vocab == 264);
  INVALID(tokens([](Texts& t) {
            t[262] = "";
            t[263] = "[EMPTY_262]";
          }),
          "each token once");

  const auto change = [](auto how) { return changed(how); };
  INVALID(change([](Builder& b) { b.erase("tokenizer.ggml.tokens"); }), "tokenizer.ggml.tokens");
  INVALID(change([](Builder& b) { b.erase("tokenizer.ggml.model"); }), "tokenizer.ggml.model");
  for (const char* name : {"no_vocab", "rwkv", "plamo2", "hybriddna", "test", "bogus"}) {
    UNSUPPORTED(change([&](Builder& b) { b.text("tokenizer.ggml.model", name); }), "tokenizer");
  }
  UNSUPPORTED(change([](Builder& b) { b.text("tokenizer.ggml.pre", "bogus"); }), "pre-tokenizer");
  UNSUPPORTED(change([](Builder& b) { b.text("tokenizer.ggml.pre", "default"); }), "qwen2");
  UNSUPPORTED(change([](Builder& b) { b.erase("tokenizer.ggml.pre"); }), "qwen2");
  UNSUPPORTED(change([](Builder& b) { b.text("tokenizer.ggml.pre", "whitespace"); }), "together");
  INVALID(change([](Builder& b) { b.erase("tokenizer.ggml.merges"); }), "merges");
  INVALID(change([](Builder& b) { b.texts("tokenizer.ggml.merges", {"ye"}); }), "two parts");
  INVALID(change([](Builder& b) { b.texts("tokenizer.ggml.merges", {"y "}); }), "two parts");
  INVALID(change([](Builder& b) { b.texts("tokenizer.ggml.merges", {"y e s"}); }), "two parts");
  INVALID(change([](Builder& b) { b.texts("tokenizer.ggml.merges", {"q q"}); }), "to make a token");
  const auto types = [&](int32_t value) {
    return changed([&](Builder& b) {
      std::vector<int32_t> all(264, 1);
      all[3] = value;
      b.array<int32_t>("tokenizer.ggml.token_type", GGUF_TYPE_INT32, all);
    });
  };
  INVALID(types(-1), "token types");
  INVALID(types(7), "token types");
  INVALID(types(6), "byte token");
  INVALID(change([](Builder& b) { b.u32("tokenizer.ggml.token_type", 1); }), "token_type");
  INVALID(change([](Builder& b) { b.i32("tokenizer.ggml.eos_token_id", 1); }), "u32");
  INVALID(change([](Builder& b) { b.u32("tokenizer.ggml.add_eos_token", 1); }), "boolean");

  INVALID(
      changed([](Builder& b) { b.erase("tokenizer.ggml.seperator_token_id"); }, encoder("bert")),
      "separator");
  INVALID(changed([](Builder& b) { b.erase("tokenizer.ggml.bos_token_id"); }, encoder("bert")),
          "beginning");
  INVALID(changed([](Builder& b) { b.erase("tokenizer.ggml.unknown_token_id"); }, encoder("bert")),
          "unknown");
  INVALID(changed([](Builder& b) { b.erase("tokenizer.ggml.scores"); }, decoder("llama")),
          "scores");
  INVALID(changed(
              [](Builder& b) {
                std::vector<std::string> texts = tokens_of(b);
                texts[3 + 10] = "newline";
                b.texts("tokenizer.ggml.tokens", texts);
              },
              decoder("llama")),
          "every byte");
  const auto charsmap = [](const std::string& bytes) {
    return changed(
        [&](Builder& b) {
          b.array<char>("tokenizer.ggml.precompiled_charsmap", GGUF_TYPE_UINT8,
                        {bytes.begin(), bytes.end()});
        },
        encoder("jina-bert-v3"));
  };
  INVALID(charsmap("ab"), "precompiled_charsmap");
  INVALID(charsmap(std::string("\xff\xff\xff\xff\0", 5)), "precompiled_charsmap");
  INVALID(charsmap(std::string("\0\0\0\0open", 8)), "end with a zero");
  INVALID(charsmap(std::string(4, '\0') + std::string(3000, 'x') + '\0'), "replacement");
}

void test_tensors() {
  const auto tensor = [](const std::string& name, auto change) {
    return changed([&](Builder& b) { change(*b.tensor(name)); });
  };
  using Tensor = Builder::Tensor;
  for (const Tensor& each : qwen3_embedder().tensors) {
    INVALID(changed([&](Builder& b) { b.erase_tensor(each.name); }), each.name);
    INVALID(tensor(each.name, [](Tensor& t) { t.shape[0] += 32; }), each.name);
    if (each.shape.size() > 1 && each.name != "token_embd.weight") {
      INVALID(tensor(each.name, [](Tensor& t) { t.shape[1] += 1; }), each.name);
    }
    INVALID(tensor(each.name, [](Tensor& t) { t.shape.resize(3, 2); }), each.name);
  }
  INVALID(tensor("token_embd.weight", [](Tensor& t) { t.shape[1] -= 1; }), "token_embd.weight");
  UNSUPPORTED(tensor("output_norm.weight", [](Tensor& t) { t.type = GGML_TYPE_F16; }), "f32");
  UNSUPPORTED(tensor("blk.0.attn_q.weight", [](Tensor& t) { t.type = GGML_TYPE_Q8_1; }),
              "type for weights");
  UNSUPPORTED(tensor("blk.0.attn_q.weight", [](Tensor& t) { t.type = GGML_TYPE_I32; }),
              "type for weights");
  UNSUPPORTED(changed([](Builder& b) { b.add("blk.0.attn_q.bias", {64}); }), "attn_q.bias");
  UNSUPPORTED(changed([](Builder& b) { b.add("blk.0.attn_qkv.weight", {32, 128}); }), "attn_qkv");
  INVALID(changed([](Builder& b) { b.tensors.clear(); }), "holds none");
}

void test_head() {
  const auto reranker = [](auto change) { return changed(change, qwen3_reranker()); };
  INVALID(reranker([](Builder& b) { b.tensor("cls.output.weight")->shape[1] = 1; }),
          "cls.output.weight");
  INVALID(reranker([](Builder& b) { b.tensor("cls.output.weight")->shape[0] = 64; }),
          "cls.output.weight");
  UNSUPPORTED(reranker([](Builder& b) {
                b.texts("qwen3.classifier.output_labels", {"no", "yes"});
              }),
              "labels");
  UNSUPPORTED(reranker([](Builder& b) { b.texts("qwen3.classifier.output_labels", {"yes"}); }),
              "labels");
  for (const char* name : {"<|im_start|>", "<|im_end|>", "<think>", "</think>"}) {
    UNSUPPORTED(reranker([&](Builder& b) {
                  std::vector<std::string> texts = tokens_of(b);
                  for (std::string& text : texts) text = text == name ? "<other>" : text;
                  b.texts("tokenizer.ggml.tokens", texts);
                }),
                name);
  }
  const auto without = [](const std::string& word, Builder file) {
    std::vector<std::string> texts = tokens_of(file);
    for (std::string& text : texts) text = text == word ? "<other>" : text;
    file.texts("tokenizer.ggml.tokens", texts);
    file.texts("tokenizer.ggml.merges", {"y e"});
    return file;
  };
  CHECK(facts_of(without("no", qwen3_headless())).head == Head::none);
  INVALID(changed([](Builder& b) { b.erase_tensor("cls.output.weight"); },
                  without("yes", qwen3_reranker())),
          "neither");
  // A prompt whose marks are not special would be tokenized letter by letter.
  INVALID(reranker([](Builder& b) { b.erase("tokenizer.ggml.token_type"); }), "special");
}

void test_collect() {
  Builder file = qwen3_embedder();
  file.u32("qwen3.pooling_type", 9);
  file.f32("qwen3.rope.freq_base", -1);
  file.erase_tensor("blk.0.attn_q.weight");
  const Facts facts = facts_of(file, true);
  int n_fatal = 0;
  for (const Finding& finding : facts.findings) n_fatal += finding.fatal;
  CHECK(n_fatal == 3 && facts.architecture == "qwen3" && facts.n_vocab == 264);
}

void test_mini() {
  const char* root = std::getenv("QWEN3_ROOT");
  const std::string path =
      (root != nullptr ? std::string(root) : ".") + "/models/mini/mini-embed-Q8_0.gguf";
  if (!std::ifstream(path)) {
    std::printf("no %s: its facts go untested\n", path.c_str());
    return;
  }
  const Gguf file(path);
  const Facts facts = read_facts(file);
  CHECK(facts.is_qwen3 && facts.findings.empty() && facts.architecture == "qwen3" &&
        facts.name == "mini-embed");
  CHECK(facts.n_layer == 4 && facts.n_embd == 256 && facts.n_head == 4 && facts.n_head_kv == 2 &&
        facts.head_dim == 64);
  CHECK(facts.n_ff == 768 && facts.n_vocab == 24325 && facts.n_ctx_train == 1024 &&
        facts.rope_theta == 1e6);
  CHECK(facts.quantisation == "Q8_0" && facts.tokenizer == "gpt2/qwen2" &&
        facts.n_parameters == 9375744);
  CHECK(facts.pooling == Pooling::last && facts.head == Head::none);
  CHECK(facts.file_bytes == std::filesystem::file_size(path));
}

}  // namespace

int main() {
  test_good_files();
  test_notes();
  test_architecture();
  test_hyperparameters();
  test_other_architectures();
  test_vocabulary();
  test_tensors();
  test_head();
  test_collect();
  test_mini();
  return check::finish();
}
