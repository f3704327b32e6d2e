#include "core/cpu/ggml_product.h"

#include <algorithm>

namespace qwen3_embed {
namespace {

// ggml takes its rows and weights in pieces that fit the second-level cache together.
constexpr int64_t kRows = 128;
constexpr int64_t kOutputs = 512;
constexpr int64_t kOutputMultiple = 32;
constexpr int64_t kSlicesPerThread = 4;

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }
int64_t row_chunks(int64_t n_rows) { return (n_rows + kRows - 1) / kRows; }

}  // namespace

GgmlProduct::GgmlProduct(const TensorFile& file, const WeightMatrix& matrix)
    : Product(matrix.n_in, matrix.n_out),
      type_(matrix.type),
      row_bytes_(matrix.row_bytes()),
      row_multiple_(GgmlWorker::row_multiple(matrix.type)),
      weights_(static_cast<size_t>(matrix.n_out) * row_bytes_) {
  read_rows(file, matrix, 0, n_out_, weights_.data());
}

int64_t GgmlProduct::n_parts(int64_t n_rows, int n_threads) const {
  const int64_t at_once = outputs_at_once(n_rows, n_threads);
  return row_chunks(n_rows) * ((n_out_ + at_once - 1) / at_once);
}

void GgmlProduct::run_part(const Inputs& inputs, const Output& output, int64_t i_part,
                           int64_t n_parts, GgmlWorker* ggml) const {
  const int64_t n_chunks = row_chunks(inputs.n_rows());
  const int64_t slice = slice_width(n_parts / n_chunks);
  const int64_t first_row = i_part % n_chunks * kRows, first = i_part / n_chunks * slice;
  const int64_t n_rows = std::min(kRows, inputs.n_rows() - first_row);
  const int64_t n = std::min(slice, n_out_ - first);
  if (n <= 0) return;
  // Padding rows and sums go through memory of the worker's own.
  const int64_t n_padded = round_up(n_rows, row_multiple_);
  float* sums = ggml->scratch(n_padded * n);
  ggml->mul_mat(
      type_, static_cast<const uint8_t*>(weights_.data()) + static_cast<size_t>(first) * row_bytes_,
      n_in_, n, inputs.plain(first_row), n_padded, sums, n);
  for (int64_t r = 0; r < n_rows; ++r) {
    const float* from = sums + r * n;
    float* to = output.rows + (first_row + r) * output.stride + first;
    if (output.added == nullptr) {
      std::copy(from, from + n, to);
    } else {
      const float* added = output.added + (first_row + r) * output.added_stride + first;
      for (int64_t i = 0; i < n; ++i) to[i] = added[i] + from[i];
    }
  }
}

// Wide for many rows, as ggml converts the rows anew for every slice; for few, enough slices for
// all threads.
int64_t GgmlProduct::outputs_at_once(int64_t n_rows, int n_threads) const {
  if (n_out_ % kOutputMultiple != 0) return n_out_;
  const int64_t wanted = int64_t{n_threads} * kSlicesPerThread;
  const int64_t n_slices = std::max<int64_t>(1, wanted / row_chunks(n_rows));
  return std::min(kOutputs, round_up((n_out_ + n_slices - 1) / n_slices, kOutputMultiple * 4));
}

int64_t GgmlProduct::slice_width(int64_t n_slices) const {
  if (n_out_ % kOutputMultiple != 0) return n_out_;
  return round_up((n_out_ + n_slices - 1) / n_slices, kOutputMultiple);
}

}  // namespace qwen3_embed
