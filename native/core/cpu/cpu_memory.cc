// What a pass holds: memory it keeps for the next one or gives back, and what stands aside with it.
#include <algorithm>
#include <utility>

#include "core/cpu/cpu_forward.h"

namespace qwen3_embed {
namespace {

size_t floats(int64_t n_rows, int64_t width) {
  return static_cast<size_t>(n_rows * width) * sizeof(float);
}

}  // namespace

// Memory of a pass within the budget is kept for the next one; that of a longer text is given back.
void PackedCpu::reserve(int32_t n_rows, int32_t n_outputs) {
  const int32_t tile = std::min(tile_, n_rows);
  rows_.hidden.reserve(floats(n_rows, n_embd_));
  rows_.outputs.reserve(floats(n_outputs, n_embd_));
  rows_.k.reserve(floats(n_rows, n_kv_));
  rows_.v.reserve(floats(n_rows, n_kv_));
  q_.reserve(floats(tile, n_q_));
  gate_.reserve(floats(tile, n_ff_));
  up_.reserve(floats(tile, n_ff_));
}

void PackedCpu::release() {
  abort_ = nullptr;
  pause_ = nullptr;
  const size_t usual =
      floats(2 * int64_t{options_.budget}, std::max({n_embd_, n_kv_, facts_.head_dim}));
  for (Buffer* buffer : {&rows_.hidden, &rows_.outputs, &rows_.k, &rows_.v}) {
    if (buffer->n_bytes() > usual) buffer->free();
  }
  // The pass that stands aside reads them still.
  if (!stands_aside_ && angles_.n_bytes() > usual) angles_.free();
  if (angles_.n_bytes() == 0) n_angles_ = 0;
}

// A pass that another takes the place of, for as long as this lives. Between tiles nothing but its
// rows is in use.
class PackedCpu::Aside {
 public:
  explicit Aside(PackedCpu& cpu) : cpu_(cpu), abort_(cpu.abort_), pause_(cpu.pause_) {
    std::swap(cpu_.rows_, cpu_.other_rows_);
    cpu_.stands_aside_ = true;
  }
  ~Aside() {
    std::swap(cpu_.rows_, cpu_.other_rows_);
    cpu_.stands_aside_ = false;
    cpu_.abort_ = abort_;
    cpu_.pause_ = pause_;
    cpu_.start_lap();
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

 private:
  PackedCpu& cpu_;
  const Abort* abort_;
  const Pause* pause_;
};

void PackedCpu::stand_aside() {
  if (pause_ == nullptr || stands_aside_) return;
  const Pause& pause = *pause_;
  const Aside aside(*this);
  pause();
}

void PackedCpu::grow_angles(const Trie& trie) {
  const int32_t n = *std::max_element(trie.positions.begin(), trie.positions.end()) + 1;
  if (n <= n_angles_) return;
  const int32_t dim = facts_.head_dim;
  // A pass that stands aside keeps those it has, should this fail.
  Buffer more(floats(n, dim));
  each_row(n, [&](int32_t position, int) {
    kernels::rope_angles(position, dim, facts_.rope_theta, more.floats() + int64_t{position} * dim);
  });
  std::swap(angles_, more);
  n_angles_ = n;
}

}  // namespace qwen3_embed
