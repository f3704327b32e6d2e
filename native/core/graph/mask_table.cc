#include "core/graph/mask_table.h"

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"

namespace qwen3_embed {

MaskTable::MaskTable(Device& device, int32_t n) {
  context_.reset(ggml_init({ggml_tensor_overhead(), nullptr, true}));
  if (!context_) throw std::bad_alloc();
  rows_ = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F16, n, n);
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), device.backend()));
  if (!buffer_) throw std::bad_alloc();
  const auto width = static_cast<size_t>(n);
  std::vector<ggml_fp16_t> values(width * width,
                                  ggml_fp32_to_fp16(-std::numeric_limits<float>::infinity()));
  for (size_t i = 0; i < width; ++i)
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(i * width), i + 1, ggml_fp16_t{0});
  device.upload(rows_, values.data(), ggml_nbytes(rows_));
}

}  // namespace qwen3_embed
