// A GGUF written whole: under another name first, made safe on the disk, then renamed, so that the
// final name never holds half a file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace qwen3_embed {

class GgufWriter {
 public:
  void text(const std::string& key, const std::string& value);
  void u32(const std::string& key, uint32_t value);
  void u64(const std::string& key, uint64_t value);
  void f32(const std::string& key, float value);
  void f64(const std::string& key, double value);
  // A value as it stands in another file: its type, then its bytes.
  void raw(const std::string& key, uint32_t type, const std::string& payload);

  // `write` is called once, with a sink that takes the tensor's bytes in order, `n_bytes` in all.
  using Sink = std::function<void(const void* bytes, size_t n)>;
  void tensor(const std::string& name, int32_t type, std::vector<int64_t> shape, uint64_t n_bytes,
              std::function<void(const Sink&)> write);
  void floats(const std::string& name, std::vector<int64_t> shape, const float* values);

  // Ends in a digest of all before it where `is_sealed`. Throws Failure compute where the disk
  // takes no more; the final name then holds what it held.
  // `check` is called before the final name is taken: what it throws leaves that as it was.
  void write(const std::string& path, bool is_sealed = false,
             const std::function<void()>& check = {}) const;

 private:
  struct Value {
    std::string key;
    uint32_t type;
    std::string payload;
  };
  struct Tensor {
    std::string name;
    int32_t type;
    std::vector<int64_t> shape;
    uint64_t n_bytes;
    std::function<void(const Sink&)> write;
  };
  std::string header() const;

  std::vector<Value> values_;
  std::vector<Tensor> tensors_;
};

// Whether the seal at the end of a file is that of its bytes. False also where there is no file.
bool is_seal_whole(const std::string& path);

}  // namespace qwen3_embed
