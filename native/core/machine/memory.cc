#include "core/machine/memory.h"

#include <algorithm>
#include <limits>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace qwen3_embed {
namespace {

// Most distributions give huge pages to those who ask (transparent_hugepage = madvise). First use
// of memory then costs a fault for each 2 MiB instead of each 4 KiB, which is half of the time it
// takes to load weights.
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLeastHuge = 2 * kHugePage;

void ask_for_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t n_bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Advice: where it is not taken, the memory is as good as any.
  static_cast<void>(madvise(memory, n_bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
#endif
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
  ::operator delete(memory, std::align_val_t(alignment));
}

void Buffer::reserve(size_t n_bytes) {
  if (n_bytes <= n_bytes_) return;
  if (n_bytes > static_cast<size_t>(std::numeric_limits<ptrdiff_t>::max()) - kHugePage)
    throw std::bad_alloc();
  const bool huge = n_bytes >= kLeastHuge;
  const size_t alignment = huge ? kHugePage : kBufferAlignment;
  void* memory = ::operator new(n_bytes, std::align_val_t(alignment));
  if (huge) ask_for_huge_pages(memory, n_bytes);
  memory_ = std::unique_ptr<void, Delete>(memory, Delete{alignment});
  n_bytes_ = n_bytes;
}

}  // namespace qwen3_embed
