#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "core/file/checks.h"
#include "core/file/gguf_reader.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

using Shape = std::array<int64_t, 4>;

std::string type_name(int32_t type) { return ggml_type_name(static_cast<ggml_type>(type)); }

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string shown(const Shape& shape) {
  std::string text = "(" + std::to_string(shape[0]);
  for (size_t i = 1; i < 4 && (i == 1 || shape[i] != 1); i++)
    text += ", " + std::to_string(shape[i]);
  return text + ")";
}

bool is_vector(const GgufTensor& tensor) {
  return tensor.shape[1] == 1 && tensor.shape[2] == 1 && tensor.shape[3] == 1;
}

// ggml multiplies by, and looks rows up in, the types it can turn into floats (and f32); it adds
// and scales by f32 only, and aborts on any other (ggml_compute_forward_get_rows, binary_op).
void check_type(Checks& checks, const GgufTensor& tensor) {
  const bool is_head = tensor.name == "cls.weight" || tensor.name == "cls.output.weight";
  const bool is_added = (is_vector(tensor) && !is_head) || tensor.name == "token_types.weight";
  if (tensor.type == GGML_TYPE_F32) return;
  if (is_added) {
    checks.fatal(Code::model_unsupported, "Expected tensor " + in_quotes(tensor.name) +
                                              " as f32 but it is " + type_name(tensor.type));
  } else if (ggml_get_type_traits(static_cast<ggml_type>(tensor.type))->to_float == nullptr) {
    checks.fatal(Code::model_unsupported, "Expected tensor " + in_quotes(tensor.name) +
                                              " in a type for weights but it is " +
                                              type_name(tensor.type));
  }
}

void expect_shape(Checks& checks, const std::string& name, const Shape& shape,
                  bool required = true) {
  const GgufTensor* tensor = checks.file.tensor(name);
  if (tensor == nullptr) {
    if (required)
      checks.fatal(Code::model_invalid,
                   "Expected tensor " + name + " " + shown(shape) + " but it is missing");
  } else if (tensor->shape != shape) {
    checks.fatal(Code::model_invalid, "Expected tensor " + name + " of shape " + shown(shape) +
                                          " but it is " + shown(tensor->shape));
  }
}

// The tensors of llama_model_qwen3::load_arch_tensors, and no others: a bias or a scale that we
// left out would change every vector.
void check_qwen3(Checks& checks) {
  const Facts& facts = checks.facts;
  const int64_t n_embd = facts.n_embd, n_ff = facts.n_ff, head_dim = facts.head_dim;
  const int64_t n_q = head_dim * facts.n_head, n_kv = head_dim * facts.n_head_kv;
  std::set<std::string> known;
  const auto expect = [&](const std::string& name, const Shape& shape, bool required = true) {
    known.insert(name);
    expect_shape(checks, name, shape, required);
  };

  // The rows of the two vocabulary tensors may be more than the tokens (padding), never fewer.
  for (const char* name : {"token_embd.weight", "output.weight"}) {
    const GgufTensor* tensor = checks.file.tensor(name);
    int64_t rows = facts.n_vocab;
    if (tensor != nullptr && tensor->shape[1] > rows) {
      rows = tensor->shape[1];
      checks.note(
          std::string(name) + " has " + std::to_string(rows) + " rows for " +
              std::to_string(facts.n_vocab) + " tokens",
          "the rows without a token are never read; engine: 'generic' will not load this file");
    }
    expect(name, {n_embd, rows, 1, 1}, name == std::string("token_embd.weight"));
  }
  expect("output_norm.weight", {n_embd, 1, 1, 1});
  expect("cls.output.weight", {n_embd, 2, 1, 1}, false);
  for (int i = 0; i < facts.n_layer; i++) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    if (checks.file.tensor(layer + "attn_qkv.weight") != nullptr) {
      checks.fatal(Code::model_unsupported,
                   "Expected attn_q, attn_k and attn_v apart but " + layer +
                       "attn_qkv.weight holds them in one tensor",
                   "Convert the model without fusing them.");
      return;
    }
    expect(layer + "attn_norm.weight", {n_embd, 1, 1, 1});
    expect(layer + "attn_q.weight", {n_embd, n_q, 1, 1});
    expect(layer + "attn_k.weight", {n_embd, n_kv, 1, 1});
    expect(layer + "attn_v.weight", {n_embd, n_kv, 1, 1});
    expect(layer + "attn_output.weight", {n_q, n_embd, 1, 1});
    expect(layer + "attn_q_norm.weight", {head_dim, 1, 1, 1});
    expect(layer + "attn_k_norm.weight", {head_dim, 1, 1, 1});
    expect(layer + "ffn_norm.weight", {n_embd, 1, 1, 1});
    expect(layer + "ffn_gate.weight", {n_embd, n_ff, 1, 1});
    expect(layer + "ffn_up.weight", {n_embd, n_ff, 1, 1});
    expect(layer + "ffn_down.weight", {n_ff, n_embd, 1, 1});
  }
  for (const GgufTensor& tensor : checks.file.tensors()) {
    if (known.count(tensor.name) != 0) continue;
    checks.fatal(
        Code::model_unsupported,
        "Expected only the tensors of a Qwen3 embedding or reranking model but there is also " +
            in_quotes(tensor.name),
        "Use a file converted from the published weights.");
  }
}

// What llama.cpp's loader asserts on instead of throwing.
void check_others(Checks& checks) {
  const Facts& facts = checks.facts;
  expect_shape(checks, "token_embd.weight", {facts.n_embd, facts.n_vocab, 1, 1});
  for (int i = 0; facts.architecture == "jina-bert-v2" && i < facts.n_layer; i++) {
    const GgufTensor* up = checks.file.tensor("blk." + std::to_string(i) + ".ffn_up.weight");
    if (up != nullptr && up->shape[1] != facts.n_ff && up->shape[1] != 2 * facts.n_ff) {
      expect_shape(checks, up->name, {facts.n_embd, facts.n_ff, 1, 1});
    }
  }
  const GgufTensor* dense_2 = checks.file.tensor("dense_2.weight");
  const GgufTensor* dense_3 = checks.file.tensor("dense_3.weight");
  if ((dense_2 == nullptr) != (dense_3 == nullptr)) {
    checks.fatal(Code::model_invalid,
                 "Expected both of dense_2.weight and dense_3.weight or none but came one");
  } else if (dense_2 != nullptr) {
    expect_shape(checks, "dense_2.weight", {facts.n_embd, dense_2->shape[1], 1, 1});
    expect_shape(checks, "dense_3.weight", {dense_2->shape[1], facts.n_embd, 1, 1});
  }
}

}  // namespace

void check_tensors(Checks& checks) {
  Facts& facts = checks.facts;
  std::map<int32_t, uint64_t> bytes_of;
  for (const GgufTensor& tensor : checks.file.tensors()) {
    check_type(checks, tensor);
    bytes_of[tensor.type] += tensor.bytes;
    int64_t n = 1;
    for (int64_t dim : tensor.shape) n *= dim;
    facts.n_parameters += n;
  }
  const auto most =
      std::max_element(bytes_of.begin(), bytes_of.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == bytes_of.end()) {
    checks.fatal(Code::model_invalid, "Expected weights but the file holds none",
                 "It is a vocabulary file; download the model itself.");
    return;
  }
  facts.quantisation = upper(type_name(most->first));
  if (facts.is_qwen3) {
    check_qwen3(checks);
  } else {
    check_others(checks);
  }
}

}  // namespace qwen3_embed
