#include "core/machine/memory.h"

#include <algorithm>
#include <limits>
#include <new>
#include <string>

#include "core/failure.h"
#include "core/machine/pages.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace qwen3_embed {
namespace {

// From here on memory is the system's own and not the heap's, which would keep what is freed.
constexpr size_t kLeastMapped = size_t{256} << 10;
thread_local bool locks_memory = false;

bool is_too_much(size_t n_bytes) {
  return n_bytes > static_cast<size_t>(std::numeric_limits<ptrdiff_t>::max()) - 2 * kHugePage;
}

void lock(void* memory, size_t n_bytes) {
  const PageLock done = lock_pages(memory, n_bytes);
  if (done.locked) return;
  const std::string most = done.limit ? std::to_string(*done.limit) : "an unknown number of";
  throw Failure{Code::out_of_memory,
                "The system refused to lock weights in memory: this process may lock " + most +
                    " bytes (RLIMIT_MEMLOCK).",
                {{"limit", static_cast<int64_t>(done.limit.value_or(0))}},
                "Raise the limit (ulimit -l, LimitMEMLOCK= of systemd, --ulimit memlock= of "
                "docker), or load with lockMemory: false."};
}

}  // namespace

size_t array_bytes(std::initializer_list<int64_t> shape, size_t item_bytes) {
  constexpr size_t kMost = std::numeric_limits<ptrdiff_t>::max();
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  size_t n_bytes = item_bytes;
  for (const int64_t n : shape) {
    if (n < 0 || n_bytes > kMost / static_cast<uint64_t>(n)) throw std::bad_alloc();
    n_bytes *= static_cast<size_t>(n);
  }
  return n_bytes;
}

void Buffer::Delete::operator()(void* memory) const {
  if (n_mapped > 0) {
    unmap_pages(memory, n_mapped);
  } else {
    ::operator delete(memory, std::align_val_t(kBufferAlignment));
  }
}

void Buffer::reserve(size_t n_bytes) {
  if (n_bytes <= n_bytes_) return;
  if (is_too_much(n_bytes)) throw std::bad_alloc();
  const bool is_mapped = kHasPages && (n_bytes >= kLeastMapped || MemoryLock::is_on());
  void* memory =
      is_mapped ? map_pages(n_bytes) : ::operator new(n_bytes, std::align_val_t(kBufferAlignment));
  if (memory == nullptr) throw std::bad_alloc();
  std::unique_ptr<void, Delete> owned(memory, Delete{is_mapped ? n_bytes : 0});
  if (MemoryLock::is_on()) lock(memory, n_bytes);
  memory_ = std::move(owned);
  n_bytes_ = n_bytes;
}

MemoryLock::MemoryLock(bool locks) : before_(locks_memory) { locks_memory = locks; }

MemoryLock::~MemoryLock() { locks_memory = before_; }

bool MemoryLock::is_on() { return locks_memory; }

void return_free_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace qwen3_embed
