// The tensors of a GGUF where they stand in the file: mapped, checked, named as the forward pass
// knows them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file/facts.h"
#include "core/file/gguf_file.h"

namespace qwen3_embed {

// A whole file in memory, read-only. Where a file cannot be mapped it is read.
class FileMap {
 public:
  explicit FileMap(const std::string& path);
  ~FileMap();
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;

  const uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }
  // Says that these bytes are not needed soon: memory goes back to the system, the bytes stay
  // readable.
  void release(const uint8_t* begin, uint64_t n_bytes) const;

 private:
  const uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  bool mapped_ = false;
  std::vector<uint8_t> copy_;
};

// y = W x. Rows as they stand in the file, at a multiple of kTensorAlignment.
struct WeightMatrix {
  std::string name;
  int32_t type = 0;   // ggml_type
  int64_t n_in = 0;   // values of a row
  int64_t n_out = 0;  // rows
  const uint8_t* data = nullptr;
  uint64_t n_bytes = 0;
  size_t row_bytes() const {
    return n_out > 0 ? static_cast<size_t>(n_bytes / static_cast<uint64_t>(n_out)) : 0;
  }
};

using Vector = std::vector<float>;

struct LayerWeights {
  Vector attn_norm;       // (n_embd)
  WeightMatrix wq;        // (n_embd -> n_head * head_dim)
  WeightMatrix wk;        // (n_embd -> n_head_kv * head_dim)
  WeightMatrix wv;        // (n_embd -> n_head_kv * head_dim)
  Vector q_norm;          // (head_dim)
  Vector k_norm;          // (head_dim)
  WeightMatrix wo;        // (n_head * head_dim -> n_embd)
  Vector ffn_norm;        // (n_embd)
  WeightMatrix gate, up;  // (n_embd -> n_ff)
  WeightMatrix down;      // (n_ff -> n_embd)
};

class Weights {
 public:
  // Throws Failure model_invalid where a tensor is missing or not of the shape that `facts`
  // promise, model_unsupported where ggml cannot multiply its type.
  Weights(const Gguf& file, const Facts& facts);

  const WeightMatrix& token_embd() const { return token_embd_; }
  const Vector& output_norm() const { return output_norm_; }  // (n_embd)
  const std::vector<LayerWeights>& layers() const { return layers_; }
  const std::optional<WeightMatrix>& output() const { return output_; }  // (n_embd -> n_vocab)
  const std::optional<WeightMatrix>& cls() const { return cls_; }        // (n_embd -> n_labels)

  // Row `i_row` as floats. (n_in)
  static void read_row(const WeightMatrix& matrix, int64_t i_row, float* out);
  void release(const WeightMatrix& matrix) const { release(matrix.data, matrix.n_bytes); }
  void release(const uint8_t* begin, uint64_t n_bytes) const;

 private:
  // n_out of -1: any.
  WeightMatrix matrix(const Gguf& file, const std::string& name, int64_t n_in, int64_t n_out);
  Vector vector(const Gguf& file, const std::string& name, int64_t n_values);
  const uint8_t* bytes_of(const Gguf& file, const GgufTensor& tensor);

  std::vector<std::unique_ptr<FileMap>> maps_;
  std::vector<std::unique_ptr<uint8_t[]>> copies_;  // of tensors that stand askew
  WeightMatrix token_embd_;
  std::optional<WeightMatrix> output_, cls_;
  Vector output_norm_;
  std::vector<LayerWeights> layers_;
};

}  // namespace qwen3_embed
