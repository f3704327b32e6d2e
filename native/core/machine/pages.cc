#include "core/machine/pages.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#endif

namespace qwen3_embed {

#ifdef _WIN32

void* map_pages(size_t n_bytes) {
  return VirtualAlloc(nullptr, n_bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void unmap_pages(void* memory, size_t) { VirtualFree(memory, 0, MEM_RELEASE); }

PageLock lock_pages(void* memory, size_t n_bytes) {
  if (VirtualLock(memory, n_bytes) != 0) return {true, std::nullopt};
  // What may be locked is the working set: it grows by what is asked for.
  SIZE_T least = 0, most = 0;
  if (GetProcessWorkingSetSize(GetCurrentProcess(), &least, &most) == 0) return {false, {}};
  SetProcessWorkingSetSize(GetCurrentProcess(), least + n_bytes, most + n_bytes);
  return {VirtualLock(memory, n_bytes) != 0, uint64_t{least}};
}

#else

namespace {

void* map(size_t n_bytes) {
  void* memory = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

size_t in_whole_pages(size_t n_bytes) {
  static const auto page = static_cast<size_t>(std::max(4096L, sysconf(_SC_PAGESIZE)));
  return (n_bytes + page - 1) / page * page;
}

}  // namespace

void* map_pages(size_t n_bytes) {
  if (n_bytes < 2 * kHugePage) return map(n_bytes);
  // One huge page more than needed, and what stands around the aligned part back at once.
  void* whole = map(n_bytes + kHugePage);
  if (whole == nullptr) return nullptr;
  auto* const first = static_cast<char*>(whole);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(first) % kHugePage) % kHugePage;
  const size_t kept = in_whole_pages(n_bytes);
  const size_t after = in_whole_pages(n_bytes + kHugePage) - before;
  if (before > 0) munmap(first, before);
  if (after > kept) munmap(first + before + kept, after - kept);
#ifdef MADV_HUGEPAGE
  // Advice: where it is not taken, the memory is as good as any.
  static_cast<void>(madvise(first + before, n_bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
#endif
  return first + before;
}

void unmap_pages(void* memory, size_t n_bytes) { munmap(memory, in_whole_pages(n_bytes)); }

PageLock lock_pages(void* memory, size_t n_bytes) {
  if (mlock(memory, n_bytes) == 0) return {true, std::nullopt};
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return {false, std::nullopt};
  return {false, static_cast<uint64_t>(limit.rlim_cur)};
}

#endif

}  // namespace qwen3_embed
