#include "core/adapter/adapter.h"

#include <gguf.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/failure.h"
#include "core/file/gguf_reader.h"
#include "core/machine/memory.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

constexpr const char* kConvert =
    "Convert it with llama.cpp's convert_lora_to_gguf.py, or train it with qwen3-embed train.";

class Reader {
 public:
  Reader(const AdapterOptions& options, const Gguf& base, const Facts& facts)
      : options_(options), file_(options.path), base_(base), facts_(facts), bytes_(file_) {}

  Adapter read() {
    check_kind();
    check_base();
    Adapter adapter;
    adapter.path = options_.path;
    adapter.scale = options_.scale;
    adapter.side = side();
    const double alpha = this->alpha();
    Digest digest;
    for (const auto& [name, halves] : pairs()) {
      LowRank change = read_change(name, halves.a, halves.b);
      change.queries_only = adapter.side == Side::query;
      change.scale = static_cast<float>(
          alpha == 0 ? options_.scale : options_.scale * alpha / static_cast<double>(change.rank));
      adapter.rank = std::max(adapter.rank, change.rank);
      digest.add(name.data(), name.size());
      digest.add(alpha_bits(alpha));
      for (const Vector* values : {&change.a, &change.b}) {
        digest.add(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
      }
      adapter.changes.emplace(name, std::move(change));
    }
    bytes_.check_unchanged();
    adapter.digest = digest.hex();
    return adapter;
  }

 private:
  struct Halves {
    const GgufTensor *a = nullptr, *b = nullptr;
  };

  Failure failure(Code code, const std::string& message, const std::string& remedy,
                  std::vector<Fact> facts = {}) const {
    facts.insert(facts.begin(), {"adapter", options_.path});
    return {code, message, std::move(facts), remedy};
  }

  void check_kind() const {
    const std::string type = file_.text("general.type").value_or("model");
    if (type != "adapter") {
      throw failure(Code::model_mismatch,
                    "Expected an adapter but " + options_.path + " is a file of type " +
                        in_quotes(type) + ".",
                    "Load it as the model, or give the path of an adapter.");
    }
    const std::string kind = file_.text("adapter.type").value_or("");
    if (kind != "lora") {
      throw failure(Code::model_unsupported,
                    "Expected an adapter of type \"lora\" but " + options_.path + " is of type " +
                        in_quotes(kind) + ".",
                    kConvert);
    }
    if (file_.n_items("adapter.alora.invocation_tokens") > 0) {
      throw failure(Code::model_unsupported,
                    options_.path +
                        " is an activated adapter (aLoRA), which waits for tokens "
                        "that no text here has.",
                    "Use a plain LoRA adapter.");
    }
    const std::string architecture = file_.text("general.architecture").value_or("");
    if (architecture != facts_.architecture) {
      throw failure(Code::model_mismatch,
                    "Expected an adapter for a model of architecture " + facts_.architecture +
                        " but " + options_.path + " is for " + in_quotes(architecture) + ".",
                    "Load it with the model that it was made for.");
    }
  }

  // A file of ours says which model it was made for; others do not.
  void check_base() const {
    const auto made_for = file_.text("qwen3_embed.adapter.base_fingerprint");
    if (!made_for || made_for->empty() || *made_for == facts_.fingerprint || options_.any_base)
      return;
    throw failure(Code::model_mismatch,
                  "Expected an adapter that was made for this model (fingerprint " +
                      facts_.fingerprint + ") but " + options_.path + " was made for " +
                      in_quotes(*made_for) + ".",
                  "Load it with the model that it was made for; if this is another quantisation "
                  "of the same model, pass adapter: { path, anyBase: true }.",
                  {{"expected", *made_for}, {"received", facts_.fingerprint}});
  }

  Side side() const {
    const std::string said = options_.side.empty()
                                 ? file_.text("qwen3_embed.adapter.side").value_or("both")
                                 : options_.side;
    if (said == "both") return Side::both;
    if (said == "query") return Side::query;
    throw failure(Code::model_unsupported,
                  "Expected qwen3_embed.adapter.side to be query or both but in " + options_.path +
                      " it is " + in_quotes(said) + ".",
                  "Pass side: 'query' or side: 'both'.");
  }

  // llama.cpp reads it as 0 where it is missing, which leaves out the division by the rank.
  double alpha() const {
    const auto type = file_.type_of("adapter.lora.alpha");
    if (!type) return 0;
    const std::optional<double> alpha = file_.real("adapter.lora.alpha");
    if (*type == GGUF_TYPE_FLOAT32 && std::isfinite(*alpha)) return *alpha;
    throw failure(Code::model_invalid,
                  "Expected adapter.lora.alpha of " + options_.path +
                      " to be a finite number, as an f32, but it is not.",
                  kConvert);
  }

  static uint64_t alpha_bits(double alpha) {
    uint64_t bits;
    std::memcpy(&bits, &alpha, sizeof bits);
    return bits;
  }

  std::map<std::string, Halves> pairs() const {
    std::map<std::string, Halves> pairs;
    for (const GgufTensor& tensor : file_.tensors()) {
      const std::string& name = tensor.name;
      const size_t dot = name.rfind('.');
      const std::string stem = name.substr(0, dot),
                        half = dot == std::string::npos ? "" : name.substr(dot + 1);
      if (half == "lora_a") {
        pairs[stem].a = &tensor;
      } else if (half == "lora_b") {
        pairs[stem].b = &tensor;
      } else if (name.size() > 12 && name.compare(name.size() - 12, 12, "_norm.weight") == 0) {
        throw failure(Code::model_unsupported,
                      options_.path + " also changes the norm " + in_quotes(name) +
                          ", which llama.cpp leaves out without a word: its vectors would not be "
                          "those of the model that was trained.",
                      "Merge it into the model where it was trained, and convert the result.",
                      {{"tensor", name}});
      } else {
        throw failure(Code::model_invalid,
                      "Expected tensors that end in .lora_a or .lora_b but " + options_.path +
                          " has " + in_quotes(name) + ".",
                      kConvert, {{"tensor", name}});
      }
    }
    if (pairs.empty()) {
      throw failure(Code::model_invalid, options_.path + " changes nothing: it has no tensors.",
                    kConvert);
    }
    for (const auto& [name, halves] : pairs) {
      if (halves.a != nullptr && halves.b != nullptr) continue;
      const std::string has = halves.a != nullptr ? ".lora_a" : ".lora_b",
                        lacks = halves.a != nullptr ? ".lora_b" : ".lora_a";
      throw failure(Code::model_invalid,
                    options_.path + " has " + in_quotes(name + has) + " without its " + lacks + ".",
                    "The file is damaged: convert it anew.", {{"tensor", name}});
    }
    return pairs;
  }

  LowRank read_change(const std::string& name, const GgufTensor* a, const GgufTensor* b) const {
    const GgufTensor* weight = base_.tensor(name);
    if (weight == nullptr) {
      throw failure(
          Code::model_mismatch,
          options_.path + " changes " + in_quotes(name) + ", which the model does not have.",
          "Load it with the model that it was made for.", {{"tensor", name}});
    }
    if (name.compare(0, 4, "blk.") != 0) {
      throw failure(Code::model_unsupported,
                    options_.path + " changes " + in_quotes(name) +
                        ", which is outside the layers: no engine here applies that.",
                    "Merge it into the model where it was trained, and convert the result.",
                    {{"tensor", name}});
    }
    const bool is_flat = weight->n_dims == 2 && a->shape[2] == 1 && a->shape[3] == 1 &&
                         b->shape[2] == 1 && b->shape[3] == 1;
    if (!is_flat || a->shape[0] != weight->shape[0] || b->shape[1] != weight->shape[1] ||
        a->shape[1] != b->shape[0]) {
      auto shape = [](const GgufTensor& t) {
        return "[" + std::to_string(t.shape[0]) + ", " + std::to_string(t.shape[1]) + "]";
      };
      throw failure(Code::model_mismatch,
                    "Expected the halves of " + in_quotes(name) + " to fit weights of " +
                        shape(*weight) + " but in " + options_.path + " they are " + shape(*a) +
                        " and " + shape(*b) + ".",
                    "Load it with the model that it was made for.", {{"tensor", name}});
    }
    LowRank change;
    change.rank = a->shape[1];
    change.a = read_values(*a);
    change.b = read_values(*b);
    return change;
  }

  Vector read_values(const GgufTensor& tensor) const {
    const auto type = static_cast<ggml_type>(tensor.type);
    if (type != GGML_TYPE_F32 && ggml_get_type_traits(type)->to_float == nullptr) {
      throw failure(Code::model_unsupported,
                    in_quotes(tensor.name) + " of " + options_.path + " is of type " +
                        ggml_type_name(type) + ", which cannot be multiplied.",
                    kConvert, {{"tensor", tensor.name}});
    }
    WeightMatrix rows;
    rows.type = tensor.type;
    rows.n_in = tensor.shape[0];
    rows.n_out = tensor.shape[1];
    rows.n_bytes = tensor.bytes;
    rows.part = tensor.part;
    rows.offset = tensor.offset;
    Vector values(array_bytes({rows.n_in, rows.n_out}, 1));
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < rows.n_out; ++i)
      read_row(bytes_, rows, i, bytes, values.data() + i * rows.n_in);
    const bool is_finite =
        std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
    if (is_finite) return values;
    throw failure(
        Code::model_invalid,
        in_quotes(tensor.name) + " of " + options_.path + " holds a value that is not finite.",
        "The file is damaged, or its training ran away: train it anew with a lower "
        "learning rate.",
        {{"tensor", tensor.name}});
  }

  const AdapterOptions& options_;
  const Gguf file_;
  const Gguf& base_;
  const Facts& facts_;
  const TensorFile bytes_;
};

}  // namespace

Adapter read_adapter(const AdapterOptions& options, const Gguf& base, const Facts& facts) {
  return Reader(options, base, facts).read();
}

void attach(const Adapter& adapter, Network& network) {
  size_t n_attached = 0;
  for (Block& block : network.blocks) {
    for (Linear* linear : block.linears()) {
      const auto change = adapter.changes.find(linear->weight.name);
      if (!linear->present() || change == adapter.changes.end()) continue;
      linear->adapters.push_back(change->second);
      ++n_attached;
    }
  }
  if (n_attached == adapter.changes.size()) return;
  throw Failure{Code::model_unsupported,
                adapter.path + " changes tensors that are no product of a layer.",
                {{"adapter", adapter.path}},
                "Load the model with engine: 'generic'."};
}

std::string fingerprint_with(const std::string& base, const std::vector<Adapter>& adapters,
                             bool are_queries) {
  Digest digest;
  digest.add(base.data(), base.size());
  bool changed = false;
  for (const Adapter& adapter : adapters) {
    if (adapter.side == Side::query && !are_queries) continue;
    changed = true;
    digest.add(adapter.digest.data(), adapter.digest.size());
    digest.add(reinterpret_cast<const char*>(&adapter.scale), sizeof adapter.scale);
  }
  return changed ? digest.hex() : base;
}

}  // namespace qwen3_embed
