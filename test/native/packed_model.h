// For the tests of the packed engine: the bundled model in any weight type and with any head, and
// packs to run on it.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "core/generic/generic.h"
#include "core/machine/backends.h"
#include "core/network/make_forward.h"
#include "ggml-cpp.h"
#include "ggml.h"
#include "gguf.h"

namespace qwen3_embed {

inline std::string root() {
  const char* path = std::getenv("QWEN3_ROOT");
  return path ? path : ".";
}

inline std::string libraries() {
  const char* path = std::getenv("QWEN3_LIBRARIES");
  return path ? path : root() + "/build/Release";
}

enum class Heads { embed, cls, untied, tied };

inline std::vector<float> to_floats(const ggml_tensor* tensor) {
  std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
  if (tensor->type == GGML_TYPE_F32) {
    std::copy_n(static_cast<const float*>(tensor->data), values.size(), values.data());
  } else {
    ggml_get_type_traits(tensor->type)
        ->to_float(tensor->data, values.data(), ggml_nelements(tensor));
  }
  return values;
}

// Writes `values` into a new tensor of `type`, by ggml's own quantisation.
inline ggml_tensor* new_tensor(ggml_context* context, const std::string& name, ggml_type type,
                               int n_dims, const int64_t* shape, const std::vector<float>& values) {
  ggml_tensor* tensor = ggml_new_tensor(context, type, n_dims, shape);
  ggml_set_name(tensor, name.c_str());
  const std::vector<float> importance(static_cast<size_t>(shape[0]), 1.0f);
  ggml_quantize_chunk(type, values.data(), tensor->data, 0, ggml_nrows(tensor), shape[0],
                      importance.data());
  return tensor;
}

// The bundled model's weights as `type`, in a file of this process's own folder.
inline std::string model_file(ggml_type type, Heads heads = Heads::embed) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "qwen3-embed-packed-test";
  fs::create_directories(folder);
  const fs::path path = folder / (std::string(ggml_type_name(type)) + "-" +
                                  std::to_string(static_cast<int>(heads)) + ".gguf");
  if (fs::exists(path)) return path.string();

  ggml_context* source = nullptr;
  const std::string bundled = root() + "/models/mini/mini-embed-Q8_0.gguf";
  gguf_context_ptr in(gguf_init_from_file(bundled.c_str(), {false, &source}));
  ggml_context_ptr source_owner(source);
  if (!in) {
    std::printf("cannot read %s\n", bundled.c_str());
    std::exit(2);
  }
  ggml_context_ptr memory(ggml_init({size_t{128} << 20, nullptr, false}));
  gguf_context_ptr out(gguf_init_empty());
  gguf_set_kv(out.get(), in.get());
  for (int64_t i = 0; i < gguf_get_n_tensors(in.get()); ++i) {
    const ggml_tensor* t = ggml_get_tensor(source, gguf_get_tensor_name(in.get(), i));
    const bool is_vector = t->ne[1] == 1;
    gguf_add_tensor(out.get(), new_tensor(memory.get(), t->name, is_vector ? GGML_TYPE_F32 : type,
                                          ggml_n_dims(t), t->ne, to_floats(t)));
  }
  const int64_t n_embd = 256;
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.05f);
  auto noise = [&](int64_t n_rows) {
    std::vector<float> values(static_cast<size_t>(n_rows * n_embd));
    for (float& value : values) value = normal(random);
    return values;
  };
  if (heads != Heads::embed) gguf_set_val_u32(out.get(), "qwen3.pooling_type", 4);
  if (heads == Heads::cls) {
    const char* labels[] = {"yes", "no"};
    gguf_set_arr_str(out.get(), "qwen3.classifier.output_labels", labels, 2);
    const int64_t shape[] = {n_embd, 2};
    gguf_add_tensor(out.get(),
                    new_tensor(memory.get(), "cls.output.weight", type, 2, shape, noise(2)));
  }
  if (heads == Heads::untied) {
    const int64_t shape[] = {n_embd, 24325};
    gguf_add_tensor(out.get(),
                    new_tensor(memory.get(), "output.weight", type, 2, shape, noise(shape[1])));
  }
  const std::string draft = path.string() + "." + std::to_string(std::random_device{}()) + ".draft";
  gguf_write_to_file(out.get(), draft.c_str(), false);
  fs::rename(draft, path);
  return path.string();
}

using Rows = std::vector<std::vector<float>>;

// `between` runs after every step but the last.
inline Rows run(Forward& forward, const std::vector<Sequence>& sequences, Pooling pooling,
                const Abort& abort = {}, const std::function<void()>& between = {}) {
  Pack pack{{}, pooling};
  for (const Sequence& sequence : sequences) pack.sequences.push_back(&sequence);
  const std::unique_ptr<Pass> pass = forward.begin(pack);
  while (pass->step(abort)) {
    if (between) between();
  }
  Rows rows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const RowView row = pass->row(i);
    rows.emplace_back(row.values, row.values + row.n_values);
  }
  return rows;
}

inline double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || a.empty()) return 0;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}

struct Model {
  explicit Model(const std::string& path) : file(path), facts(read_facts(file)) {}

  std::unique_ptr<Forward> packed(PackedOptions options = {}) const {
    options.max_tokens = 4096;
    options.ranks = facts.pooling == Pooling::rank;
    options.yes = 9693, options.no = 2152;
    return make_packed(file, facts, options);
  }
  std::unique_ptr<Forward> generic() const {
    GenericOptions options{};
    options.n_threads = 1;  // more would spin against other tests
    options.budget = options.max_tokens = 1024;
    options.yes = 9693, options.no = 2152;
    return make_generic(load_llama_model(file, options), facts, options);
  }

  Gguf file;
  Facts facts;
};

// Sequences that are strangers, equal, inside one another and branches of one another.
inline std::vector<Sequence> random_sequences(unsigned seed, size_t n, size_t longest) {
  std::mt19937 random(seed);
  auto below = [&](size_t end) { return static_cast<size_t>(random() % end); };
  std::vector<Sequence> sequences;
  while (sequences.size() < n) {
    Sequence sequence;
    if (!sequences.empty() && below(3) > 0) {
      sequence = sequences[below(sequences.size())];
      sequence.ids.resize(1 + below(sequence.ids.size()));
    }
    if (sequence.ids.empty() || below(8) > 0) {
      for (size_t k = 1 + below(longest); k > 0; --k)
        sequence.ids.push_back(static_cast<Token>(below(24320)));
    }
    if (sequence.ids.size() > 2 * longest) sequence.ids.resize(2 * longest);
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

}  // namespace qwen3_embed
