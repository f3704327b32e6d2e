// A Network's weights in a device's memory, as tensors that graphs refer to.
#pragma once

#include <memory>
#include <vector>

#include "core/graph/device.h"
#include "core/network/make_forward.h"
#include "core/network/network.h"
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
  // Tensors without memory, of which graphs can be made to ask the device what it can do. `embeds`:
  // token and position embeddings too, where the device can look rows of their types up.
  GraphWeights(const Network& network, const Device& device, bool embeds, DeviceWeights types);
  ~GraphWeights();

  // Reads them from the file to the device, `network` being as it was. Once. Throws std::bad_alloc,
  // Failure.
  void fill(Device& device, const Abort& abort, const std::function<void(double)>& on_progress);

  bool embeds() const { return token_embd != nullptr; }

  ggml_tensor *token_embd = nullptr, *position_embd = nullptr, *token_type = nullptr;
  std::vector<GraphBlock> blocks;
  GraphNorm embedding_norm, output_norm;
  ggml_tensor* rope_factors = nullptr;

 private:
  class Source;
  std::unique_ptr<Source> source_;  // until they are filled
  ggml_context_ptr context_;
  ggml_backend_buffer_ptr buffer_;
};

}  // namespace qwen3_embed
