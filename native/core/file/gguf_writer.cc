#include "core/file/gguf_writer.h"

#include <gguf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "core/failure.h"
#include "core/file/gguf_reader.h"

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace qwen3_embed {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSealBytes = 32;  // a digest in hex

template <typename T>
void append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& to, const std::string& text) {
  append<uint64_t>(to, text.size());
  to += text;
}

uint64_t padded(uint64_t n) {
  return (n + GGUF_DEFAULT_ALIGNMENT - 1) / GGUF_DEFAULT_ALIGNMENT * GGUF_DEFAULT_ALIGNMENT;
}

// The digest of a stream, whatever pieces it comes in.
class StreamDigest {
 public:
  void add(const char* bytes, size_t n) {
    while (n > 0) {
      const size_t taken = std::min(n, sizeof piece_ - n_piece_);
      std::memcpy(piece_ + n_piece_, bytes, taken);
      n_piece_ += taken, bytes += taken, n -= taken;
      if (n_piece_ == sizeof piece_) flush();
    }
  }
  std::string hex() {
    flush();
    return digest_.hex();
  }

 private:
  void flush() {
    digest_.add(piece_, n_piece_);
    n_piece_ = 0;
  }
  Digest digest_;
  char piece_[4096];
  size_t n_piece_ = 0;
};

class Draft {
 public:
  explicit Draft(const std::string& path)
      : path_(path), draft_(path + ".writing"), file_(std::fopen(draft_.c_str(), "wb")) {
    if (file_ == nullptr) fail("opened");
  }
  ~Draft() {
    if (file_ != nullptr) std::fclose(file_);
    std::error_code ignored;
    if (!is_done_) fs::remove(fs::u8path(draft_), ignored);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void write(const void* bytes, size_t n) {
    if (n > 0 && std::fwrite(bytes, 1, n, file_) != n) fail("written");
    digest_.add(static_cast<const char*>(bytes), n);
    n_ += n;
  }
  void pad() {
    static const char zeros[GGUF_DEFAULT_ALIGNMENT] = {};
    write(zeros, static_cast<size_t>(padded(n_) - n_));
  }
  void seal() {
    const std::string hex = digest_.hex();
    write(hex.data(), hex.size());
  }
  void finish() {
    if (std::fflush(file_) != 0) fail("written");
#ifdef _WIN32
    if (_commit(_fileno(file_)) != 0) fail("written");
#else
    if (fsync(fileno(file_)) != 0) fail("written");
#endif
    const int status = std::fclose(file_);
    file_ = nullptr;
    if (status != 0) fail("written");
    std::error_code error;
    fs::rename(fs::u8path(draft_), fs::u8path(path_), error);
    if (error) fail("renamed");
    is_done_ = true;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Failure{Code::compute,
                  draft_ + " could not be " + what + ": " + std::strerror(errno) + ".",
                  {{"path", path_}},
                  "Check that the folder exists, may be written to and has room."};
  }

  const std::string path_, draft_;
  std::FILE* file_;
  StreamDigest digest_;
  uint64_t n_ = 0;
  bool is_done_ = false;
};

}  // namespace

void GgufWriter::raw(const std::string& key, uint32_t type, const std::string& payload) {
  for (Value& value : values_) {
    if (value.key == key) {
      value = {key, type, payload};
      return;
    }
  }
  values_.push_back({key, type, payload});
}

void GgufWriter::text(const std::string& key, const std::string& value) {
  std::string payload;
  append_text(payload, value);
  raw(key, GGUF_TYPE_STRING, payload);
}

void GgufWriter::u32(const std::string& key, uint32_t value) {
  std::string payload;
  append(payload, value);
  raw(key, GGUF_TYPE_UINT32, payload);
}

void GgufWriter::u64(const std::string& key, uint64_t value) {
  std::string payload;
  append(payload, value);
  raw(key, GGUF_TYPE_UINT64, payload);
}

void GgufWriter::f32(const std::string& key, float value) {
  std::string payload;
  append(payload, value);
  raw(key, GGUF_TYPE_FLOAT32, payload);
}

void GgufWriter::f64(const std::string& key, double value) {
  std::string payload;
  append(payload, value);
  raw(key, GGUF_TYPE_FLOAT64, payload);
}

void GgufWriter::tensor(const std::string& name, int32_t type, std::vector<int64_t> shape,
                        uint64_t n_bytes, std::function<void(const Sink&)> write) {
  tensors_.push_back({name, type, std::move(shape), n_bytes, std::move(write)});
}

void GgufWriter::floats(const std::string& name, std::vector<int64_t> shape, const float* values) {
  uint64_t n = sizeof(float);
  for (const int64_t dim : shape) n *= static_cast<uint64_t>(dim);
  tensor(name, 0, std::move(shape), n,
         [values, n](const Sink& sink) { sink(values, static_cast<size_t>(n)); });
}

std::string GgufWriter::header() const {
  std::string bytes = GGUF_MAGIC;
  append<uint32_t>(bytes, 3);
  append<uint64_t>(bytes, tensors_.size());
  append<uint64_t>(bytes, values_.size());
  for (const Value& value : values_) {
    append_text(bytes, value.key);
    append(bytes, value.type);
    bytes += value.payload;
  }
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    append_text(bytes, tensor.name);
    append<uint32_t>(bytes, static_cast<uint32_t>(tensor.shape.size()));
    for (const int64_t dim : tensor.shape) append(bytes, dim);
    append(bytes, tensor.type);
    append(bytes, offset);
    offset += padded(tensor.n_bytes);
  }
  return bytes;
}

void GgufWriter::write(const std::string& path, bool is_sealed,
                       const std::function<void()>& check) const {
  Draft draft(path);
  const std::string head = header();
  draft.write(head.data(), head.size());
  draft.pad();
  for (const Tensor& tensor : tensors_) {
    tensor.write([&](const void* bytes, size_t n) { draft.write(bytes, n); });
    draft.pad();
  }
  if (is_sealed) draft.seal();
  if (check) check();
  draft.finish();
}

bool is_seal_whole(const std::string& path) {
  std::ifstream file(fs::u8path(path), std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto size = static_cast<int64_t>(file.tellg());
  if (!file || size < static_cast<int64_t>(kSealBytes)) return false;
  file.seekg(0);
  StreamDigest digest;
  std::vector<char> bytes(1 << 20);
  for (int64_t left = size - static_cast<int64_t>(kSealBytes); left > 0;) {
    const auto n = std::min<int64_t>(left, static_cast<int64_t>(bytes.size()));
    file.read(bytes.data(), n);
    digest.add(bytes.data(), static_cast<size_t>(n));
    left -= n;
  }
  char seal[kSealBytes];
  file.read(seal, sizeof seal);
  return file && digest.hex() == std::string(seal, sizeof seal);
}

}  // namespace qwen3_embed
