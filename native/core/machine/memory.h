// Memory for kernels: aligned, growing, reused.
#pragma once

#include <cstddef>
#include <memory>

namespace qwen3_embed {

// Memory at a multiple of 64 bytes that grows and is reused. Throws std::bad_alloc, and is as it
// was then.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t n_bytes) { reserve(n_bytes); }
  // Contents are lost when it grows.
  void reserve(size_t n_bytes);
  void free() { memory_.reset(), n_bytes_ = 0; }
  size_t n_bytes() const { return n_bytes_; }
  void* data() const { return memory_.get(); }
  float* floats() const { return static_cast<float*>(memory_.get()); }

 private:
  struct Delete {
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Delete> memory_;
  size_t n_bytes_ = 0;
};

}  // namespace qwen3_embed
