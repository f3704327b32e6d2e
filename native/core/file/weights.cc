#include "core/file/weights.h"

#include <cstring>
#include <fstream>
#include <limits>
#include <new>

#include "core/failure.h"
#include "ggml.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace qwen3_embed {
namespace {

// ggml asks this of a buffer it is handed (ggml_backend_cpu_buffer_from_ptr); GGUF promises it
// unless a file says otherwise in general.alignment.
constexpr uintptr_t kTensorAlignment = 32;

Failure cannot_read(const std::string& path) {
  return {Code::model_not_found,
          "Expected a readable file at " + path + ". Check that it exists and is complete.",
          {{"path", path}}};
}

Failure bad_tensor(const Gguf& file, const std::string& name, const std::string& what) {
  return {Code::model_invalid,
          "Tensor " + name + " of " + file.paths().front() + " " + what +
              ". The file is damaged or was converted wrongly: download it again.",
          {{"path", file.paths().front()}, {"tensor", name}}};
}

std::string shape_text(int64_t n_in, int64_t n_out) {
  auto one = [](int64_t n) { return n < 0 ? std::string("any") : std::to_string(n); };
  return "[" + one(n_in) + ", " + one(n_out) + "]";
}

}  // namespace

#ifdef _WIN32

FileMap::FileMap(const std::string& path) {
  const int n = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(static_cast<size_t>(n > 0 ? n : 1), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), n);
  const HANDLE file = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr,
                                  OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  LARGE_INTEGER size;
  if (file == INVALID_HANDLE_VALUE || !GetFileSizeEx(file, &size)) throw cannot_read(path);
  size_ = static_cast<uint64_t>(size.QuadPart);
  if (const HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr)) {
    data_ = static_cast<const uint8_t*>(MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0));
    CloseHandle(mapping);  // the view keeps it alive
  }
  mapped_ = data_ != nullptr;
  if (!mapped_) {
    copy_.resize(static_cast<size_t>(size_));
    for (uint64_t read = 0; read < size_;) {
      DWORD got = 0;
      const auto chunk = static_cast<DWORD>(size_ - read < (1u << 28) ? size_ - read : (1u << 28));
      if (!ReadFile(file, copy_.data() + read, chunk, &got, nullptr) || got == 0) {
        CloseHandle(file);
        throw cannot_read(path);
      }
      read += got;
    }
    data_ = copy_.data();
  }
  CloseHandle(file);
}

FileMap::~FileMap() {
  if (mapped_) UnmapViewOfFile(data_);
}

void FileMap::release(const uint8_t*, uint64_t) const {}

#else

FileMap::FileMap(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw cannot_read(path);
  struct stat status;
  if (fstat(file, &status) != 0) {
    close(file);
    throw cannot_read(path);
  }
  size_ = static_cast<uint64_t>(status.st_size);
  void* mapping = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  mapped_ = mapping != MAP_FAILED;
  if (mapped_) {
    data_ = static_cast<const uint8_t*>(mapping);
    return;
  }
  copy_.resize(size_);
  std::ifstream stream(path, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(copy_.data()), static_cast<std::streamsize>(size_))) {
    throw cannot_read(path);
  }
  data_ = copy_.data();
}

FileMap::~FileMap() {
  if (mapped_) munmap(const_cast<uint8_t*>(data_), size_);
}

void FileMap::release(const uint8_t* begin, uint64_t n_bytes) const {
  if (!mapped_) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last = (reinterpret_cast<uintptr_t>(begin) + n_bytes) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

#endif

Weights::Weights(const Gguf& file, const Facts& facts) {
  for (size_t part = 0; part < file.paths().size(); ++part) {
    maps_.push_back(std::make_unique<FileMap>(file.paths()[part]));
  }
  const int64_t n_embd = facts.n_embd, n_ff = facts.n_ff;
  const int64_t n_q = int64_t{facts.n_head} * facts.head_dim;
  const int64_t n_kv = int64_t{facts.n_head_kv} * facts.head_dim;
  token_embd_ = matrix(file, "token_embd.weight", n_embd, -1);
  if (file.tensor("output.weight")) output_ = matrix(file, "output.weight", n_embd, -1);
  if (file.tensor("cls.output.weight")) cls_ = matrix(file, "cls.output.weight", n_embd, 2);
  output_norm_ = vector(file, "output_norm.weight", n_embd);
  for (int i = 0; i < facts.n_layer; ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    LayerWeights layer;
    layer.attn_norm = vector(file, prefix + "attn_norm.weight", n_embd);
    layer.wq = matrix(file, prefix + "attn_q.weight", n_embd, n_q);
    layer.wk = matrix(file, prefix + "attn_k.weight", n_embd, n_kv);
    layer.wv = matrix(file, prefix + "attn_v.weight", n_embd, n_kv);
    layer.q_norm = vector(file, prefix + "attn_q_norm.weight", facts.head_dim);
    layer.k_norm = vector(file, prefix + "attn_k_norm.weight", facts.head_dim);
    layer.wo = matrix(file, prefix + "attn_output.weight", n_q, n_embd);
    layer.ffn_norm = vector(file, prefix + "ffn_norm.weight", n_embd);
    layer.gate = matrix(file, prefix + "ffn_gate.weight", n_embd, n_ff);
    layer.up = matrix(file, prefix + "ffn_up.weight", n_embd, n_ff);
    layer.down = matrix(file, prefix + "ffn_down.weight", n_ff, n_embd);
    layers_.push_back(std::move(layer));
  }
}

const uint8_t* Weights::bytes_of(const Gguf& file, const GgufTensor& tensor) {
  const FileMap& map = *maps_[tensor.part];
  // The file may have changed since its header was read.
  if (tensor.offset > map.size() || tensor.bytes > map.size() - tensor.offset) {
    throw bad_tensor(file, tensor.name, "lies beyond the end of the file");
  }
  const uint8_t* data = map.data() + tensor.offset;
  if (reinterpret_cast<uintptr_t>(data) % kTensorAlignment == 0) return data;
  copies_.emplace_back(new uint8_t[tensor.bytes + kTensorAlignment]);
  const auto start = reinterpret_cast<uintptr_t>(copies_.back().get());
  uint8_t* copy =
      copies_.back().get() + (kTensorAlignment - start % kTensorAlignment) % kTensorAlignment;
  std::memcpy(copy, data, tensor.bytes);
  return copy;
}

WeightMatrix Weights::matrix(const Gguf& file, const std::string& name, int64_t n_in,
                             int64_t n_out) {
  const GgufTensor* tensor = file.tensor(name);
  if (tensor == nullptr) throw bad_tensor(file, name, "is missing");
  if ((n_in >= 0 && tensor->shape[0] != n_in) || (n_out >= 0 && tensor->shape[1] != n_out) ||
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
                      ggml_type_name(type) +
                      ", which cannot be multiplied. Use a Q8_0, Q4_K_M or F16 file.",
                  {{"path", file.paths().front()}, {"tensor", name}}};
  }
  WeightMatrix matrix;
  matrix.name = name;
  matrix.type = tensor->type;
  matrix.n_in = tensor->shape[0];
  matrix.n_out = tensor->shape[1];
  matrix.data = bytes_of(file, *tensor);
  matrix.n_bytes = tensor->bytes;
  return matrix;
}

Vector Weights::vector(const Gguf& file, const std::string& name, int64_t n_values) {
  const WeightMatrix row = matrix(file, name, n_values, 1);
  Vector values(static_cast<size_t>(n_values));
  read_row(row, 0, values.data());
  return values;
}

void Weights::read_row(const WeightMatrix& matrix, int64_t i_row, float* out) {
  const uint8_t* row = matrix.data + static_cast<size_t>(i_row) * matrix.row_bytes();
  if (matrix.type == GGML_TYPE_F32) {
    std::memcpy(out, row, matrix.row_bytes());
  } else {
    ggml_get_type_traits(static_cast<ggml_type>(matrix.type))->to_float(row, out, matrix.n_in);
  }
}

void Weights::release(const uint8_t* begin, uint64_t n_bytes) const {
  for (const std::unique_ptr<FileMap>& map : maps_) {
    if (begin >= map->data() && begin < map->data() + map->size()) map->release(begin, n_bytes);
  }
}

}  // namespace qwen3_embed
