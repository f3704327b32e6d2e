// From a file to a Network: the only place that knows architectures by name.
#include <array>
#include <set>

#include "core/failure.h"
#include "core/network/network.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

enum class Family { decoder, encoder };

// What sets one architecture apart from the others of its family. Tensor names are llama.cpp's.
struct Recipe {
  const char* architecture;
  Family family;
  bool is_causal;      // where the file does not say
  bool paired_angles;  // rotations turn neighbours, not halves
};

constexpr std::array<Recipe, 6> kRecipes = {{
    {"qwen3", Family::decoder, true, false},
    {"qwen2", Family::decoder, true, false},       // gte-Qwen2
    {"llama", Family::decoder, true, true},        // e5-mistral
    {"llama-embed", Family::decoder, true, true},  // its files say that they are not causal
    {"eurobert", Family::decoder, false, false},
    {"bert", Family::encoder, false, false},  // and XLM-R: bge, e5, MiniLM, their rerankers
}};

const Recipe* recipe_of(const std::string& architecture) {
  for (const Recipe& recipe : kRecipes) {
    if (architecture == recipe.architecture) return &recipe;
  }
  return nullptr;
}

Failure bad_tensor(const Gguf& file, const std::string& name, const std::string& what) {
  return {Code::model_invalid,
          "Tensor " + name + " of " + file.paths().front() + " " + what + ".",
          {{"path", file.paths().front()}, {"tensor", name}},
          "The file is damaged or was converted wrongly: download it again."};
}

std::string shape_text(int64_t n_in, int64_t n_out) {
  auto one = [](int64_t n) { return n < 0 ? std::string("any") : std::to_string(n); };
  return "[" + one(n_in) + ", " + one(n_out) + "]";
}

WeightMatrix find_matrix(const Gguf& file, const std::string& name, int64_t n_in, int64_t n_out) {
  const GgufTensor* tensor = file.tensor(name);
  if (tensor == nullptr) throw bad_tensor(file, name, "is missing");
  if (tensor->shape[0] != n_in || (n_out >= 0 && tensor->shape[1] != n_out) ||
      tensor->shape[2] != 1 || tensor->shape[3] != 1 || tensor->shape[0] < 1 ||
      tensor->shape[1] < 1) {
    throw bad_tensor(file, name,
                     "has shape " + shape_text(tensor->shape[0], tensor->shape[1]) + " where " +
                         shape_text(n_in, n_out) + " was expected");
  }
  const auto type = static_cast<ggml_type>(tensor->type);
  if (tensor->type < 0 || tensor->type >= GGML_TYPE_COUNT || ggml_blck_size(type) < 1 ||
      tensor->shape[0] % ggml_blck_size(type) != 0 ||
      tensor->bytes / static_cast<uint64_t>(tensor->shape[1]) !=
          ggml_row_size(type, tensor->shape[0])) {
    throw bad_tensor(file, name, "has a size that does not follow from its shape and type");
  }
  if (type != GGML_TYPE_F32 && ggml_get_type_traits(type)->to_float == nullptr) {
    throw Failure{Code::model_unsupported,
                  "Tensor " + name + " of " + file.paths().front() + " is of type " +
                      ggml_type_name(type) + ", which cannot be multiplied.",
                  {{"path", file.paths().front()}, {"tensor", name}},
                  "Use a Q8_0, Q4_K_M or F16 file."};
  }
  WeightMatrix matrix;
  matrix.name = name;
  matrix.type = tensor->type;
  matrix.n_in = tensor->shape[0];
  matrix.n_out = tensor->shape[1];
  matrix.n_bytes = tensor->bytes;
  matrix.part = tensor->part;
  matrix.offset = tensor->offset;
  return matrix;
}

// Takes tensors by name and remembers which: what is left over is not understood.
class Builder {
 public:
  Builder(const Gguf& gguf, const Facts& facts, const Recipe& recipe)
      : gguf_(gguf), facts_(facts), recipe_(recipe) {}

  std::shared_ptr<Network> build() {
    Network& net = *network_;
    net.file = std::make_shared<const TensorFile>(gguf_);
    net.n_embd = facts_.n_embd;
    net.n_head = facts_.n_head;
    net.n_head_kv = facts_.n_head_kv;
    net.head_dim = facts_.head_dim;
    net.n_ff = facts_.n_ff;
    net.epsilon = static_cast<float>(facts_.rms_eps);
    net.is_causal =
        gguf_.boolean(facts_.architecture + ".attention.causal").value_or(recipe_.is_causal);
    net.token_embd = matrix("token_embd.weight", net.n_embd, -1);
    if (recipe_.family == Family::encoder) {
      build_encoder();
    } else {
      build_decoder();
    }
    build_head();
    return network_;
  }

  bool took(const std::string& name) const { return taken_.count(name) != 0; }

 private:
  void build_decoder() {
    Network& net = *network_;
    net.activation = Activation::silu;
    net.rope_theta = facts_.rope_theta;
    if (has("rope_freqs.weight")) net.rope_factors = vector("rope_freqs.weight", net.head_dim / 2);
    net.output_norm = norm("output_norm", net.n_embd);
    if (has("output.weight")) net.output = matrix("output.weight", net.n_embd, -1);
    for (int i = 0; i < facts_.n_layer; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      Block block;
      block.attention_norm = norm(prefix + "attn_norm", net.n_embd);
      block.q = rotated(prefix + "attn_q", net.n_q());
      block.k = rotated(prefix + "attn_k", net.n_kv());
      block.v = linear(prefix + "attn_v", net.n_embd, net.n_kv());
      if (has(prefix + "attn_q_norm.weight")) {
        block.q_norm = norm(prefix + "attn_q_norm", net.head_dim);
        block.k_norm = norm(prefix + "attn_k_norm", net.head_dim);
      }
      block.out = linear(prefix + "attn_output", net.n_q(), net.n_embd);
      block.feed_forward_norm = norm(prefix + "ffn_norm", net.n_embd);
      block.gate = linear(prefix + "ffn_gate", net.n_embd, net.n_ff);
      block.up = linear(prefix + "ffn_up", net.n_embd, net.n_ff);
      block.down = linear(prefix + "ffn_down", net.n_ff, net.n_embd);
      net.blocks.push_back(std::move(block));
    }
  }

  void build_encoder() {
    Network& net = *network_;
    net.norms_come_after = true;
    net.activation = Activation::gelu;
    net.position_embd = matrix("position_embd.weight", net.n_embd, -1);
    if (has("token_types.weight")) {
      // Every token is of the first type, as in llama.cpp: "sentence A".
      const WeightMatrix types = matrix("token_types.weight", net.n_embd, -1);
      net.token_type = read(types, 0);
    }
    net.embedding_norm = norm("token_embd_norm", net.n_embd);
    for (int i = 0; i < facts_.n_layer; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      Block block;
      block.q = linear(prefix + "attn_q", net.n_embd, net.n_q());
      block.k = linear(prefix + "attn_k", net.n_embd, net.n_kv());
      block.v = linear(prefix + "attn_v", net.n_embd, net.n_kv());
      block.out = linear(prefix + "attn_output", net.n_q(), net.n_embd);
      block.attention_norm = norm(prefix + "attn_output_norm", net.n_embd);
      block.up = linear(prefix + "ffn_up", net.n_embd, net.n_ff);
      block.down = linear(prefix + "ffn_down", net.n_ff, net.n_embd);
      block.feed_forward_norm = norm(prefix + "layer_output_norm", net.n_embd);
      net.blocks.push_back(std::move(block));
    }
  }

  void build_head() {
    Network& net = *network_;
    if (has("cls.weight")) net.head_dense = linear("cls", net.n_embd, net.n_embd);
    if (has("cls.output.weight")) {
      net.head = linear("cls.output", net.n_embd, std::max(facts_.n_labels, 1));
    }
  }

  bool has(const std::string& name) const { return gguf_.tensor(name) != nullptr; }

  WeightMatrix matrix(const std::string& name, int64_t n_in, int64_t n_out) {
    taken_.insert(name);
    return find_matrix(gguf_, name, n_in, n_out);
  }

  Vector read(const WeightMatrix& rows, int64_t i_row) const {
    Vector values(static_cast<size_t>(rows.n_in));
    std::vector<uint8_t> bytes;
    read_row(*network_->file, rows, i_row, bytes, values.data());
    return values;
  }

  Vector vector(const std::string& name, int64_t n) { return read(matrix(name, n, 1), 0); }

  Norm norm(const std::string& name, int64_t n) {
    Norm norm{vector(name + ".weight", n), {}};
    if (has(name + ".bias")) norm.bias = vector(name + ".bias", n);
    return norm;
  }

  Linear linear(const std::string& name, int64_t n_in, int64_t n_out) {
    Linear linear;
    linear.weight = matrix(name + ".weight", n_in, n_out);
    if (has(name + ".bias")) linear.bias = vector(name + ".bias", n_out);
    return linear;
  }

  // Queries or keys, which are to be rotated.
  Linear rotated(const std::string& name, int64_t n_out) {
    Linear result = linear(name, network_->n_embd, n_out);
    if (!recipe_.paired_angles) return result;
    const int32_t dim = network_->head_dim;
    result.weight.paired_head = dim;
    Vector bias(result.bias.size());
    for (size_t i = 0; i < bias.size(); ++i) {
      const size_t within = i % static_cast<size_t>(dim), half = static_cast<size_t>(dim) / 2;
      bias[i] = result.bias[i - within + (within < half ? 2 * within : 2 * (within - half) + 1)];
    }
    result.bias = std::move(bias);
    return result;
  }

  const Gguf& gguf_;
  const Facts& facts_;
  const Recipe& recipe_;
  std::shared_ptr<Network> network_ = std::make_shared<Network>();
  std::set<std::string> taken_;
};

// What kernels and executors ask of a shape.
std::string odd_shape(const Facts& facts, const Recipe& recipe) {
  if (facts.head_dim % 8 != 0) return "its heads are not a multiple of 8 wide";
  if (recipe.family == Family::decoder && facts.head_dim % 2 != 0) return "its heads are odd";
  return {};
}

}  // namespace

std::string cannot_build(const Gguf& file, const Facts& facts) {
  const Recipe* recipe = recipe_of(facts.architecture);
  if (recipe == nullptr) return "architecture " + facts.architecture + " is not one of them";
  if (facts.is_qwen3) return {};
  const std::string prefix = facts.architecture + ".";
  for (const char* key : {"rope.scaling.type", "rope.scale_linear", "rope.scaling.factor",
                          "attention.scale", "expert_count", "embedding_scale", "logit_scale",
                          "residual_scale", "attention.sliding_window"}) {
    const bool says_none = file.text(prefix + key) == "none" || file.integer(prefix + key) == 0;
    if (file.type_of(prefix + key) && !says_none) return prefix + key + " is set";
  }
  if (std::string odd = odd_shape(facts, *recipe); !odd.empty()) return odd;
  if (facts.pooling == Pooling::rank && file.tensor("cls.output.weight") == nullptr)
    return "its head is not among the tensors";
  try {
    Builder builder(file, facts, *recipe);
    builder.build();
    for (const GgufTensor& tensor : file.tensors()) {
      if (!builder.took(tensor.name)) return "tensor " + tensor.name + " is not known";
    }
  } catch (const Failure& failure) {
    return failure.message;
  }
  return {};
}

std::shared_ptr<Network> build_network(const Gguf& file, const Facts& facts) {
  return Builder(file, facts, *recipe_of(facts.architecture)).build();
}

}  // namespace qwen3_embed
