// A thread whose stack we choose: the system's default is 8 MB on glibc, 512 KB on macOS and 128 KB
// on musl.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace qwen3_embed {

class Thread {
 public:
  // Room for our own code and llama.cpp's with it. Address space: pages are taken as they are used.
  static constexpr size_t kStackBytes = size_t{2} << 20;

  Thread() = default;
  // Starts it. Throws Failure out_of_memory if the system refuses. What `work` throws ends the
  // process, as with std::thread.
  explicit Thread(std::function<void()> work, size_t stack_bytes = kStackBytes);
  ~Thread() { join(); }
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;  // joins the one it held

  bool joinable() const { return handle_ != nullptr; }
  // Waits for its end; does nothing if there is nothing to wait for. Not from itself.
  void join();

 private:
  struct Handle;
  struct Delete {
    void operator()(Handle* handle) const;
  };
  std::unique_ptr<Handle, Delete> handle_;
};

}  // namespace qwen3_embed
