// Rows of a weight matrix, as bytes and as floats.
#include <cstring>

#include "core/network/network.h"
#include "ggml.h"

namespace qwen3_embed {

int64_t source_row(const WeightMatrix& matrix, int64_t i) {
  if (matrix.paired_head == 0) return i;
  const int64_t dim = matrix.paired_head, half = dim / 2, within = i % dim;
  return i - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

void read_rows(const TensorFile& file, const WeightMatrix& matrix, int64_t first, int64_t n,
               void* out) {
  const size_t row_bytes = matrix.row_bytes();
  auto offset = [&](int64_t row) { return matrix.offset + static_cast<uint64_t>(row) * row_bytes; };
  if (matrix.paired_head == 0) {
    file.read(matrix.part, offset(first), static_cast<size_t>(n) * row_bytes, out);
    return;
  }
  auto* to = static_cast<uint8_t*>(out);
  for (int64_t i = 0; i < n; ++i, to += row_bytes) {
    file.read(matrix.part, offset(source_row(matrix, first + i)), row_bytes, to);
  }
}

void read_row(const TensorFile& file, const WeightMatrix& matrix, int64_t i_row,
              std::vector<uint8_t>& bytes, float* out) {
  if (matrix.type == GGML_TYPE_F32) {
    read_rows(file, matrix, i_row, 1, out);
    return;
  }
  bytes.resize(matrix.row_bytes());
  read_rows(file, matrix, i_row, 1, bytes.data());
  ggml_get_type_traits(static_cast<ggml_type>(matrix.type))
      ->to_float(bytes.data(), out, matrix.n_in);
}

}  // namespace qwen3_embed
