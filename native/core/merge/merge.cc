#include "core/merge/merge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "core/failure.h"
#include "core/file/gguf_reader.h"
#include "core/file/gguf_writer.h"
#include "core/file/tensor_file.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

constexpr int64_t kBlockValues = int64_t{2} << 20;  // 8 MiB of floats

struct Model {
  explicit Model(const std::string& path) : file(path), bytes(file) {}
  Gguf file;
  TensorFile bytes;
};

bool is_matrix(const GgufTensor& tensor) { return tensor.n_dims > 1 && tensor.shape[1] > 1; }

int64_t n_rows(const GgufTensor& tensor) {
  return tensor.shape[1] * tensor.shape[2] * tensor.shape[3];
}

// Rows [first, first + n) as floats.
void read_block(const Model& model, const GgufTensor& tensor, int64_t first, int64_t n,
                Vector& out) {
  const int64_t width = tensor.shape[0];
  out.resize(static_cast<size_t>(n * width));
  const size_t row_bytes = ggml_row_size(static_cast<ggml_type>(tensor.type), width);
  const uint64_t at = tensor.offset + static_cast<uint64_t>(first) * row_bytes;
  const size_t n_bytes = static_cast<size_t>(n) * row_bytes;
  if (tensor.type == GGML_TYPE_F32) {
    model.bytes.read(tensor.part, at, n_bytes, out.data());
    return;
  }
  std::vector<uint8_t> raw(n_bytes);
  model.bytes.read(tensor.part, at, n_bytes, raw.data());
  ggml_get_type_traits(static_cast<ggml_type>(tensor.type))
      ->to_float(raw.data(), out.data(), n * width);
}

Failure mismatch(const std::string& message, const std::string& remedy, const Model& a,
                 const Model& b) {
  return {Code::model_mismatch,
          message,
          {{"path", a.file.paths().front()}, {"other", b.file.paths().front()}},
          remedy};
}

// Models that are to be added must be of one make, to the token.
void check_pair(const Model& a, const Model& b) {
  const std::string &first = a.file.paths().front(), &second = b.file.paths().front();
  for (const char* key : {"general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.tokens",
                          "tokenizer.ggml.merges"}) {
    if (a.file.stored(key) == b.file.stored(key)) continue;
    throw mismatch("Expected models of one make but " + std::string(key) + " of " + first +
                       " differs from that of " + second + ".",
                   "Merge checkpoints of the same model.", a, b);
  }
  for (const GgufTensor& tensor : a.file.tensors()) {
    const GgufTensor* other = b.file.tensor(tensor.name);
    if (other != nullptr && other->shape == tensor.shape) continue;
    auto shape = [](const GgufTensor& t) {
      return std::to_string(t.shape[0]) + " × " + std::to_string(n_rows(t));
    };
    throw mismatch("Expected tensor " + in_quotes(tensor.name) + " alike in both models but in " +
                       first + " it is " + shape(tensor) + " and in " + second + " " +
                       (other == nullptr ? std::string("missing") : shape(*other)) + ".",
                   "Merge checkpoints of the same model.", a, b);
  }
  if (a.file.tensors().size() != b.file.tensors().size()) {
    throw mismatch("Expected the same tensors in both models but " + first + " has " +
                       std::to_string(a.file.tensors().size()) + " and " + second + " has " +
                       std::to_string(b.file.tensors().size()) + ".",
                   "Merge checkpoints of the same model.", a, b);
  }
}

// llama.cpp's names, as --to and people write them.
ggml_type type_named(const std::string& name) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
    const auto type = static_cast<ggml_type>(i);
    const char* known = ggml_type_name(type);
    if (known == nullptr || ggml_blck_size(type) == 0) continue;
    std::string spelled = known;
    std::transform(spelled.begin(), spelled.end(), spelled.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (spelled != lower) continue;
    const bool writes = (type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16 ||
                         ggml_is_quantized(type)) &&
                        !ggml_quantize_requires_imatrix(type);
    if (writes) return type;
  }
  throw Failure{
      Code::model_unsupported,
      "Expected a type of weights that can be written but received " + in_quotes(name) + ".",
      {{"type", name}},
      "Use same, f32, f16, bf16, q8_0, q6_K, q5_K, q4_K or q4_0."};
}

class Merger {
 public:
  Merger(const MergeOptions& options, MergeState& state) : options_(options), state_(state) {
    for (const std::string& path : options.models) models_.push_back(std::make_unique<Model>(path));
    for (size_t i = 1; i < models_.size(); ++i) check_pair(first(), *models_[i]);
    const Facts facts = read_facts(first().file);
    for (const AdapterOptions& adapter : options.adapters)
      adapters_.push_back(read_adapter(adapter, first().file, facts));
    n_layers_ = facts.n_layer;
    for (const GgufTensor& tensor : first().file.tensors())
      state_.n_total += static_cast<int64_t>(tensor.bytes);
    fixed_type_ = options.type == "same" ? GGML_TYPE_COUNT : type_named(options.type);
  }

  MergeReport run() {
    GgufWriter writer;
    for (const std::string& key : first().file.keys()) {
      const auto value = first().file.stored(key);
      if (key.rfind("split.", 0) != 0) writer.raw(key, value->first, value->second);
    }
    describe(writer);
    for (const GgufTensor& tensor : first().file.tensors()) {
      const ggml_type type = type_of(tensor);
      const uint64_t n_bytes =
          ggml_row_size(type, tensor.shape[0]) * static_cast<uint64_t>(n_rows(tensor));
      std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims);
      writer.tensor(
          tensor.name, type, std::move(shape), n_bytes,
          [this, &tensor, type](const GgufWriter::Sink& sink) { write(tensor, type, sink); });
    }
    writer.write(options_.output, false, [this] { check_kept(); });
    return report_;
  }

 private:
  const Model& first() const { return *models_.front(); }

  ggml_type type_of(const GgufTensor& tensor) const {
    const auto own = static_cast<ggml_type>(tensor.type);
    if (!is_matrix(tensor) || fixed_type_ == GGML_TYPE_COUNT) return own;
    if (tensor.shape[0] % ggml_blck_size(fixed_type_) != 0) return GGML_TYPE_F16;
    return fixed_type_;
  }

  void describe(GgufWriter& writer) const {
    const std::string name = first().file.text("general.name").value_or("model");
    writer.text("general.name", name + " merged");
    static const std::pair<ggml_type, uint32_t> file_types[] = {
        {GGML_TYPE_F32, 0},   {GGML_TYPE_F16, 1},   {GGML_TYPE_Q4_0, 2},  {GGML_TYPE_Q8_0, 7},
        {GGML_TYPE_Q4_K, 15}, {GGML_TYPE_Q5_K, 17}, {GGML_TYPE_Q6_K, 18}, {GGML_TYPE_BF16, 32}};
    for (const auto& [type, number] : file_types) {
      if (type == fixed_type_) writer.u32("general.file_type", number);
    }
    static const char* const methods[] = {"slerp", "linear", "task", "ties", "multi-slerp"};
    writer.text("qwen3_embed.merge.method",
                adapters_.empty() ? methods[static_cast<int>(options_.method)] : "adapter");
    std::string inputs;
    for (const auto& model : models_)
      inputs += (inputs.empty() ? "" : ",") + model->file.fingerprint();
    for (const Adapter& adapter : adapters_) inputs += "," + adapter.digest;
    writer.text("qwen3_embed.merge.inputs", inputs);
  }

  double t_of(const std::string& name) const {
    for (const MergePoint& point : options_.points) {
      if (name.find(point.filter) == std::string::npos) continue;
      const std::vector<double>& values = point.values;
      if (values.size() == 1) return values[0];
      double position = name.rfind("token_embd", 0) == 0 ? 0 : 1;
      if (name.rfind("blk.", 0) == 0 && n_layers_ > 1)
        position = std::stod(name.substr(4)) / (n_layers_ - 1);
      const double at = std::clamp(position, 0.0, 1.0) * static_cast<double>(values.size() - 1);
      const auto i = std::min(static_cast<size_t>(at), values.size() - 2);
      return values[i] + (at - static_cast<double>(i)) * (values[i + 1] - values[i]);
    }
    return 0.5;
  }

  template <typename Each>
  void each_block(const GgufTensor& tensor, const Each& each) const {
    const int64_t at_once = std::max<int64_t>(1, kBlockValues / tensor.shape[0]);
    for (int64_t row = 0; row < n_rows(tensor); row += at_once) {
      if (state_.aborted) throw Failure{Code::aborted, "The merge was aborted.", {}};
      each(row, std::min(at_once, n_rows(tensor) - row));
    }
  }

  std::vector<const GgufTensor*> tensors_like(const GgufTensor& tensor) const {
    std::vector<const GgufTensor*> all;
    for (const auto& model : models_) all.push_back(model->file.tensor(tensor.name));
    return all;
  }

  Gram gram_of(const GgufTensor& tensor) const {
    const size_t n = models_.size();
    const auto tensors = tensors_like(tensor);
    Gram gram(n, std::vector<double>(n));
    std::vector<Vector> blocks(n);
    each_block(tensor, [&](int64_t row, int64_t n_at_once) {
      for (size_t i = 0; i < n; ++i)
        read_block(*models_[i], *tensors[i], row, n_at_once, blocks[i]);
      for (size_t i = 0; i < n; ++i) {
        for (size_t j = i; j < n; ++j) {
          double sum = 0;
          for (size_t k = 0; k < blocks[i].size(); ++k)
            sum += static_cast<double>(blocks[i][k]) * static_cast<double>(blocks[j][k]);
          gram[i][j] += sum;
        }
      }
    });
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < i; ++j) gram[i][j] = gram[j][i];
    }
    return gram;
  }

  Factors factors_of(const GgufTensor& tensor) const {
    switch (options_.method) {
      case MergeMethod::slerp: {
        const double t = t_of(tensor.name);
        // The ends as they are, to the bit.
        if (t == 0 || t == 1) return {{1 - t, t}, false};
        return slerp(gram_of(tensor), t);
      }
      case MergeMethod::linear:
        return linear(options_.weights);
      case MergeMethod::task:
        return task_arithmetic(options_.weights, options_.lambda);
      case MergeMethod::multi_slerp:
        return multi_slerp(gram_of(tensor), options_.weights);
      case MergeMethod::ties:
        return {};
    }
    return {};
  }

  // The least |v - v0| of each model that is among the `density` largest of the tensor. Sizes are
  // counted, not kept: by the upper half of their bits, then by the lower half of those that share
  // the upper one with the least. Floats that are not negative are in the order of their bits.
  std::vector<float> thresholds_of(const GgufTensor& tensor) const {
    const auto tensors = tensors_like(tensor);
    std::vector<float> thresholds(models_.size());
    Vector base, other;
    for (size_t i = 1; i < models_.size(); ++i) {
      auto each_size = [&](const auto& count) {
        each_block(tensor, [&](int64_t row, int64_t n) {
          read_block(first(), tensor, row, n, base);
          read_block(*models_[i], *tensors[i], row, n, other);
          for (size_t k = 0; k < base.size(); ++k) {
            const float size = std::abs(other[k] - base[k]);
            uint32_t bits;
            std::memcpy(&bits, &size, sizeof bits);
            count(bits);
          }
        });
      };
      const int64_t n_values = n_rows(tensor) * tensor.shape[0];
      auto n_left = static_cast<int64_t>(options_.density * static_cast<double>(n_values));
      if (n_left >= n_values) continue;
      if (n_left == 0) {
        thresholds[i] = INFINITY;
        continue;
      }
      constexpr int kHalf = 16;
      std::vector<int64_t> counts(size_t{1} << kHalf);
      each_size([&](uint32_t bits) { ++counts[bits >> kHalf]; });
      const uint32_t upper = nth_largest(counts, n_left);
      std::fill(counts.begin(), counts.end(), 0);
      each_size([&](uint32_t bits) {
        if (bits >> kHalf == upper) ++counts[bits & 0xffff];
      });
      const uint32_t bits = upper << kHalf | nth_largest(counts, n_left);
      std::memcpy(&thresholds[i], &bits, sizeof bits);
    }
    return thresholds;
  }

  // Where the n-th largest is, of so many of each; `n` becomes which of those there it is.
  static uint32_t nth_largest(const std::vector<int64_t>& counts, int64_t& n) {
    size_t at = counts.size() - 1;
    for (; counts[at] < n; --at) n -= counts[at];
    return static_cast<uint32_t>(at);
  }

  double ties_value(const std::vector<Vector>& blocks, const std::vector<float>& thresholds,
                    size_t k) const {
    double sum = 0;
    const double base = static_cast<double>(blocks[0][k]);
    auto change = [&](size_t i) {
      const float difference = blocks[i][k] - blocks[0][k];
      return std::abs(difference) < thresholds[i] ? 0.0 : static_cast<double>(difference);
    };
    for (size_t i = 1; i < blocks.size(); ++i) sum += options_.weights[i] * change(i);
    const bool is_positive = sum >= 0;
    double agreeing = 0, weights = 0;
    for (size_t i = 1; i < blocks.size(); ++i) {
      const double delta = options_.weights[i] * change(i);
      if (delta == 0 || (delta > 0) != is_positive) continue;
      agreeing += delta;
      weights += options_.weights[i];
    }
    return base + options_.lambda * agreeing / (weights == 0 ? 1 : weights);
  }

  void write(const GgufTensor& tensor, ggml_type type, const GgufWriter::Sink& sink) {
    const auto tensors = tensors_like(tensor);
    const bool merges = models_.size() > 1;
    const bool is_ties = merges && options_.method == MergeMethod::ties;
    const Factors factors = merges ? factors_of(tensor) : Factors{{1}, false};
    const std::vector<float> thresholds = is_ties ? thresholds_of(tensor) : std::vector<float>();
    std::vector<Vector> blocks(models_.size());
    Vector wanted, written;
    std::vector<uint8_t> bytes;
    double along = 0, all = 0;
    each_block(tensor, [&](int64_t row, int64_t n) {
      for (size_t i = 0; i < models_.size(); ++i)
        read_block(*models_[i], *tensors[i], row, n, blocks[i]);
      wanted.resize(blocks[0].size());
      for (size_t k = 0; k < wanted.size(); ++k) {
        double value = 0;
        if (is_ties) {
          value = ties_value(blocks, thresholds, k);
        } else {
          bool is_first = true;
          for (size_t i = 0; i < blocks.size(); ++i) {
            if (factors.of[i] == 0) continue;
            const double part = factors.of[i] * static_cast<double>(blocks[i][k]);
            value = is_first ? part : value + part;
            is_first = false;
          }
        }
        wanted[k] = static_cast<float>(value);
      }
      add_adapters(tensor, row, n, wanted);
      encode(type, tensor.shape[0], n, wanted, bytes);
      decode(type, bytes, written, wanted.size());
      for (size_t k = 0; k < wanted.size(); ++k) {
        const double change = static_cast<double>(wanted[k]) - static_cast<double>(blocks[0][k]);
        all += change * change;
        along += change * (static_cast<double>(written[k]) - static_cast<double>(blocks[0][k]));
      }
      sink(bytes.data(), bytes.size());
      state_.n_done +=
          static_cast<int64_t>(static_cast<double>(tensor.bytes) * static_cast<double>(n) /
                               static_cast<double>(n_rows(tensor)));
    });
    ++report_.n_tensors;
    report_.n_straight += factors.is_straight;
    if (!is_matrix(tensor) || all == 0) return;
    ++report_.n_changed;
    const double kept = along / all;
    sum_kept_ += kept;
    report_.mean_kept = sum_kept_ / static_cast<double>(report_.n_changed);
    if (report_.n_changed == 1 || kept < report_.least_kept) {
      report_.least_kept = kept;
      report_.least_tensor = tensor.name;
    }
  }

  // += scale B A, for these rows.
  void add_adapters(const GgufTensor& tensor, int64_t row, int64_t n, Vector& wanted) const {
    const int64_t width = tensor.shape[0];
    std::vector<double> sums;
    for (const Adapter& adapter : adapters_) {
      const auto found = adapter.changes.find(tensor.name);
      if (found == adapter.changes.end()) continue;
      const LowRank& change = found->second;
      for (int64_t i = 0; i < n; ++i) {
        sums.assign(static_cast<size_t>(width), 0);
        for (int64_t r = 0; r < change.rank; ++r) {
          const double b =
              static_cast<double>(change.b[static_cast<size_t>((row + i) * change.rank + r)]);
          const float* a = change.a.data() + r * width;
          for (int64_t k = 0; k < width; ++k)
            sums[static_cast<size_t>(k)] += b * static_cast<double>(a[k]);
        }
        float* to = wanted.data() + i * width;
        for (int64_t k = 0; k < width; ++k) {
          to[k] =
              static_cast<float>(static_cast<double>(to[k]) +
                                 static_cast<double>(change.scale) * sums[static_cast<size_t>(k)]);
        }
      }
    }
  }

  static void encode(ggml_type type, int64_t width, int64_t n, const Vector& values,
                     std::vector<uint8_t>& bytes) {
    bytes.resize(ggml_row_size(type, width) * static_cast<size_t>(n));
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, n, width, nullptr);
  }

  static void decode(ggml_type type, const std::vector<uint8_t>& bytes, Vector& out, size_t n) {
    out.resize(n);
    if (type == GGML_TYPE_F32) {
      std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<uint8_t*>(out.data()));
    } else {
      ggml_get_type_traits(type)->to_float(bytes.data(), out.data(), static_cast<int64_t>(n));
    }
  }

  void check_kept() const {
    for (const auto& model : models_) model->bytes.check_unchanged();
    if (options_.lossy || report_.mean_kept >= 0.5) return;
    const auto percent = static_cast<int64_t>(std::lround(100 * report_.mean_kept));
    throw Failure{Code::compute,
                  "Quantising keeps " + std::to_string(percent) +
                      "% of the change alone: values stand on a grid, and small changes round back "
                      "to where they were.",
                  {{"kept", percent}, {"tensor", report_.least_tensor}},
                  "Take the model's F16 file as base, or write with to: 'f16', or keep the adapter "
                  "beside the model; lossy: true writes it all the same."};
  }

  const MergeOptions& options_;
  MergeState& state_;
  std::vector<std::unique_ptr<Model>> models_;
  std::vector<Adapter> adapters_;
  int n_layers_ = 0;
  ggml_type fixed_type_ = GGML_TYPE_COUNT;
  MergeReport report_;
  double sum_kept_ = 0;
};

}  // namespace

MergeReport merge_models(const MergeOptions& options, MergeState& state) {
  return Merger(options, state).run();
}

}  // namespace qwen3_embed
