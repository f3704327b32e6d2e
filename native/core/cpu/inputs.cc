#include "core/cpu/inputs.h"

#include <algorithm>
#include <iterator>

#include "core/cpu/ggml_worker.h"

namespace qwen3_embed {

template <typename Write>
void Inputs::each_form(const Write& write) {
  for (size_t i = 0; i < kernels::kRowFormats; ++i) {
    if (asked_[i]) write(rows_[i]);
  }
}

bool Inputs::asked_only(kernels::RowFormat form) const {
  const auto n_asked = std::count(std::begin(asked_), std::end(asked_), true);
  return n_asked == 1 && asked(form);
}

void Inputs::resize(int64_t n_rows, int64_t n_in) {
  n_rows_ = n_rows;
  n_in_ = n_in;
  for (size_t i = 0; i < kernels::kRowFormats; ++i) {
    if (!asked_[i]) continue;
    const auto form = static_cast<kernels::RowFormat>(i);
    // ggml takes rows by the multiple; those beyond the last are zeros.
    const bool is_plain = form == kernels::RowFormat::kPlain;
    const int64_t n = is_plain ? GgmlWorker::padded_rows(n_rows) : n_rows;
    memory_[i].reserve(kernels_.rows_bytes(form, n, n_in_));
    rows_[i] = {form, n_rows, n_in_, memory_[i].data()};
    if (is_plain)
      std::fill(memory_[i].floats() + n_rows * n_in_, memory_[i].floats() + n * n_in_, 0.0f);
  }
}

const float* Inputs::plain(int64_t row) const {
  return memory_[index(kernels::RowFormat::kPlain)].floats() + row * n_in_;
}

void Inputs::store(const float* x, int64_t row) {
  each_form([&](const kernels::Rows& rows) { kernels_.store_row(x, rows, row); });
}

void Inputs::store_norm(const float* x, const float* weight, float epsilon, int64_t row) {
  each_form(
      [&](const kernels::Rows& rows) { kernels_.rms_norm_row(x, weight, epsilon, rows, row); });
}

void Inputs::store_swiglu(const float* gate, const float* up, int64_t row) {
  each_form([&](const kernels::Rows& rows) { kernels_.swiglu_row(gate, up, rows, row); });
}

void Inputs::store_gelu(const float* x, int64_t row) {
  each_form([&](const kernels::Rows& rows) { kernels_.gelu_row(x, rows, row); });
}

}  // namespace qwen3_embed
