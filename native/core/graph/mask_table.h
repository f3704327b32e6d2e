// The masks of every query, on the device: row i shows the first i + 1 keys and hides those after
// them. A pass sends which rows it wants, not masks.
#pragma once

#include <cstdint>

#include "core/graph/device.h"
#include "ggml-cpp.h"
#include "ggml.h"

namespace qwen3_embed {

class MaskTable {
 public:
  // For up to `n` keys. Throws std::bad_alloc.
  MaskTable(Device& device, int32_t n);

  int32_t n() const { return static_cast<int32_t>(rows_->ne[0]); }
  ggml_tensor* rows() const { return rows_; }  // (n, n), halves

 private:
  ggml_context_ptr context_;
  ggml_backend_buffer_ptr buffer_;
  ggml_tensor* rows_;
};

}  // namespace qwen3_embed
