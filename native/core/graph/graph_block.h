// One block of a Network as ggml ops: the graph's reading of what network.h describes.
#pragma once

#include "core/graph/draft.h"
#include "core/graph/graph_weights.h"

namespace qwen3_embed {

class GraphBlocks {
 public:
  GraphBlocks(const Network& network, const GraphWeights& weights)
      : net_(network), weights_(weights) {}

  struct KeysValues {
    ggml_tensor *k, *v;  // (n_kv, n_rows)
  };
  // x as a block's products read it. (n_embd, n)
  ggml_tensor* read(Draft& draft, size_t i_block, ggml_tensor* x) const;
  KeysValues keys_values(Draft& draft, size_t i_block, ggml_tensor* inputs,
                         ggml_tensor* positions) const;
  // The rest of the block for the rows of x, which read() made `inputs` of. (n_embd, n)
  ggml_tensor* answer(Draft& draft, size_t i_block, ggml_tensor* x, ggml_tensor* inputs,
                      ggml_tensor* positions, const KeysValues& seen, ggml_tensor* mask) const;
  ggml_tensor* norm(Draft& draft, ggml_tensor* x, const GraphNorm& norm) const;

 private:
  ggml_tensor* product(Draft& draft, const GraphLinear& linear, ggml_tensor* x) const;
  ggml_tensor* heads(Draft& draft, ggml_tensor* x, int n_heads, const GraphNorm& norm,
                     ggml_tensor* positions) const;
  ggml_tensor* attention(Draft& draft, ggml_tensor* q, const KeysValues& seen,
                         ggml_tensor* mask) const;
  ggml_tensor* feed_forward(Draft& draft, const GraphBlock& block, ggml_tensor* inputs) const;

  const Network& net_;
  const GraphWeights& weights_;
};

}  // namespace qwen3_embed
