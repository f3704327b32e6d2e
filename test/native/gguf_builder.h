// GGUF files made in memory, small enough to be made by the thousand, and what the native tests
// share.
#pragma once

#include <gguf.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace gguf_builder {

template <typename T>
void append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void append_text(std::string& to, const std::string& text) {
  append<uint64_t>(to, text.size());
  to += text;
}

struct Builder {
  struct Value {
    std::string key;
    uint32_t type;
    std::string payload;  // as in a file, after the type
  };
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    int32_t type;
  };

  uint32_t version = 3;
  uint64_t alignment = 32;
  std::vector<Value> values;
  std::vector<Tensor> tensors;

  Value* find(const std::string& key) {
    for (Value& value : values) {
      if (value.key == key) return &value;
    }
    return nullptr;
  }
  Tensor* tensor(const std::string& name) {
    for (Tensor& tensor : tensors) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
  void set(const std::string& key, uint32_t type, std::string payload) {
    if (Value* value = find(key)) {
      *value = {key, type, std::move(payload)};
    } else {
      values.push_back({key, type, std::move(payload)});
    }
  }
  void erase(const std::string& key) {
    for (size_t i = 0; i < values.size(); i++) {
      if (values[i].key == key) values.erase(values.begin() + static_cast<std::ptrdiff_t>(i--));
    }
  }
  void erase_tensor(const std::string& name) {
    for (size_t i = 0; i < tensors.size(); i++) {
      if (tensors[i].name == name)
        tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(i--));
    }
  }
  template <typename T>
  void scalar(const std::string& key, uint32_t type, T value) {
    std::string payload;
    append(payload, value);
    set(key, type, payload);
  }
  void u16(const std::string& key, uint16_t value) { scalar(key, GGUF_TYPE_UINT16, value); }
  void u32(const std::string& key, uint32_t value) { scalar(key, GGUF_TYPE_UINT32, value); }
  void i32(const std::string& key, int32_t value) { scalar(key, GGUF_TYPE_INT32, value); }
  void f32(const std::string& key, float value) { scalar(key, GGUF_TYPE_FLOAT32, value); }
  void boolean(const std::string& key, uint8_t value) { scalar(key, GGUF_TYPE_BOOL, value); }
  void text(const std::string& key, const std::string& value) {
    std::string payload;
    append_text(payload, value);
    set(key, GGUF_TYPE_STRING, payload);
  }
  void texts(const std::string& key, const std::vector<std::string>& items) {
    std::string payload;
    append<uint32_t>(payload, GGUF_TYPE_STRING);
    append<uint64_t>(payload, items.size());
    for (const std::string& item : items) append_text(payload, item);
    set(key, GGUF_TYPE_ARRAY, payload);
  }
  template <typename T>
  void array(const std::string& key, uint32_t type, const std::vector<T>& items) {
    std::string payload;
    append<uint32_t>(payload, type);
    append<uint64_t>(payload, items.size());
    for (const T& item : items) append(payload, item);
    set(key, GGUF_TYPE_ARRAY, payload);
  }
  void add(const std::string& name, std::vector<int64_t> shape, int32_t type = GGML_TYPE_F32) {
    tensors.push_back({name, std::move(shape), type});
  }

  // Undefined types and shapes take no room: the file is made all the same.
  static uint64_t bytes_of(const Tensor& tensor) {
    if (tensor.type < 0 || tensor.type >= GGML_TYPE_COUNT) return 0;
    const auto type = static_cast<ggml_type>(tensor.type);
    uint64_t n = 1;
    for (int64_t dim : tensor.shape) {
      if (dim <= 0 || dim > (1 << 20)) return 0;
      n *= static_cast<uint64_t>(dim);
      if (n > (1 << 24)) return 0;
    }
    if (ggml_blck_size(type) == 0) return 0;
    return n / static_cast<uint64_t>(ggml_blck_size(type)) * ggml_type_size(type);
  }

  // Where the data begins in build().
  size_t header_bytes() const {
    uint64_t n = 0;
    for (const Tensor& tensor : tensors)
      n += (bytes_of(tensor) + alignment - 1) / alignment * alignment;
    return build().size() - static_cast<size_t>(n);
  }

  std::string build() const {
    std::string file = "GGUF";
    append<uint32_t>(file, version);
    append<uint64_t>(file, tensors.size());
    append<uint64_t>(file, values.size());
    for (const Value& value : values) {
      append_text(file, value.key);
      append<uint32_t>(file, value.type);
      file += value.payload;
    }
    uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
      append_text(file, tensor.name);
      append<uint32_t>(file, static_cast<uint32_t>(tensor.shape.size()));
      for (int64_t dim : tensor.shape) append<int64_t>(file, dim);
      append<int32_t>(file, tensor.type);
      append<uint64_t>(file, offset);
      offset += (bytes_of(tensor) + alignment - 1) / alignment * alignment;
    }
    if (tensors.empty()) return file;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    uint32_t state = 1;
    for (const Tensor& tensor : tensors) {
      const uint64_t bytes = bytes_of(tensor);
      if (tensor.type == GGML_TYPE_F32) {
        for (uint64_t i = 0; i < bytes / 4; i++) {
          state = state * 1664525 + 1013904223;
          append<float>(file, static_cast<float>(state >> 16) / 65536.0F - 0.5F);
        }
      } else {
        file.resize(file.size() + bytes);
      }
      file.resize((file.size() + alignment - 1) / alignment * alignment);
    }
    return file;
  }
};

// A folder of this process's own, gone with it.
class Folder {
 public:
  Folder() {
    path_ = std::filesystem::temp_directory_path() /
            ("qwen3-embed-test-" + std::to_string(reinterpret_cast<uintptr_t>(this) ^ seed()));
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.u8string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    const std::filesystem::path path = path_ / std::filesystem::u8path(name);
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path.u8string();
  }

 private:
  static uintptr_t seed() {
    return static_cast<uintptr_t>(
        std::filesystem::file_time_type::clock::now().time_since_epoch().count());
  }
  std::filesystem::path path_;
};

}  // namespace gguf_builder
