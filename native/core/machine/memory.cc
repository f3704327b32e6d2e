#include "core/machine/memory.h"

#include <new>

namespace qwen3_embed {

constexpr size_t kAlignment = 64;

void Buffer::Delete::operator()(void* memory) const {
  ::operator delete(memory, std::align_val_t(kAlignment));
}

void Buffer::reserve(size_t n_bytes) {
  if (n_bytes <= n_bytes_) return;
  memory_.reset(::operator new(n_bytes, std::align_val_t(kAlignment)));
  n_bytes_ = n_bytes;
}

}  // namespace qwen3_embed
