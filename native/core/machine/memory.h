// Memory for weights and activations: aligned, growing, reused, in huge pages where the system has
// them, given back to it when it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

namespace qwen3_embed {

inline constexpr size_t kBufferAlignment = 64;

// Bytes of an array of this shape. Throws std::bad_alloc if a dimension is negative or the product
// does not fit: no memory could hold it.
size_t array_bytes(std::initializer_list<int64_t> shape, size_t item_bytes);

// Memory at a multiple of kBufferAlignment that grows and is reused. Throws std::bad_alloc, and is
// as it was then; where memory is being locked, Failure out_of_memory if the system refuses that.
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
    size_t n_mapped;  // 0: of the heap
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Delete> memory_;
  size_t n_bytes_ = 0;
};

// While it lives, what Buffers of this thread reserve is kept from being swapped out, if `locks`.
class MemoryLock {
 public:
  explicit MemoryLock(bool locks);
  ~MemoryLock();
  MemoryLock(const MemoryLock&) = delete;
  MemoryLock& operator=(const MemoryLock&) = delete;

  static bool is_on();

 private:
  const bool before_;
};

// After much was freed: what the heap keeps for later goes back to the system, where it can be
// asked to.
void return_free_memory();

}  // namespace qwen3_embed
