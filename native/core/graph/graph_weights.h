// A Network's weights in a device's memory, as tensors that graphs refer to.
#pragma once

#include <memory>
#include <vector>

#include "core/network/network.h"
#include "core/road/forward.h"
#include "ggml-cpp.h"

namespace qwen3_embed {

struct GraphLinear {
  ggml_tensor* weight = nullptr;
  ggml_tensor* bias = nullptr;  // or null
  struct Adapter {
    ggml_tensor *a, *b;  // its scale within b
    bool queries_only;
  };
  std::vector<Adapter> adapters;
};

struct GraphNorm {
  ggml_tensor *weight = nullptr, *bias = nullptr;
};

struct GraphBlock {
  GraphNorm attention_norm, q_norm, k_norm, feed_forward_norm;
  GraphLinear q, k, v, out, gate, up, down;
};

class GraphWeights {
 public:
  // `embeds`: token and position embeddings too, where the device can look rows of their types up.
  // Throws std::bad_alloc.
  GraphWeights(const Network& network, ggml_backend_t backend, bool embeds, const Abort& abort,
               const std::function<void(double)>& on_progress);

  bool embeds() const { return token_embd != nullptr; }

  ggml_tensor *token_embd = nullptr, *position_embd = nullptr, *token_type = nullptr;
  std::vector<GraphBlock> blocks;
  GraphNorm embedding_norm, output_norm;
  ggml_tensor* rope_factors = nullptr;

 private:
  ggml_context_ptr context_;
  ggml_backend_buffer_ptr buffer_;
};

}  // namespace qwen3_embed
