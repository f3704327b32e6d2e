// Memory straight from the system, and what it is asked about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace qwen3_embed {

// Most distributions give huge pages to those who ask (transparent_hugepage = madvise). First use
// of memory then costs a fault for each 2 MiB instead of each 4 KiB, which is half of the time it
// takes to load weights.
inline constexpr size_t kHugePage = size_t{2} << 20;

// AddressSanitizer watches the heap alone.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kHasPages = false;
#else
inline constexpr bool kHasPages = true;
#endif

// Zeros, at the start of a page; from two huge pages on, of a huge one. Null: there is no memory.
void* map_pages(size_t n_bytes);
void unmap_pages(void* memory, size_t n_bytes);

struct PageLock {
  bool locked;
  std::optional<uint64_t> limit;  // bytes this process may lock
};
PageLock lock_pages(void* memory, size_t n_bytes);

}  // namespace qwen3_embed
