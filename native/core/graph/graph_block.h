// One block of a Network as ggml ops: the graph's reading of what network.h describes.
#pragma once

#include <vector>

#include "core/graph/draft.h"
#include "core/graph/graph_weights.h"
#include "core/graph/sight.h"

namespace qwen3_embed {

class GraphBlocks {
 public:
  // `flash`: attention as one op over 16-bit keys and values.
  GraphBlocks(const Network& network, const GraphWeights& weights, bool flash)
      : net_(network), weights_(weights), flash_(flash) {}

  struct KeysValues {
    ggml_tensor *k, *v;  // (n_kv, n_rows)
  };
  // Who sees whom, as tensors: a StreamBin's lists; null where the rows are taken as they stand.
  struct Bin {
    int64_t n_streams, n_q, n_keys;
    ggml_tensor *queries, *keys;
    ggml_tensor* mask;  // or null: all is seen
  };
  struct Sight {
    std::vector<Bin> bins;
    ggml_tensor* answers;  // or null: as they stand
  };
  // `masks`: as MaskTable has them.
  Sight sight(Draft& draft, const SightShape& shape, ggml_tensor* masks) const;
  // x as a block's products read it. (n_embd, n)
  ggml_tensor* read(Draft& draft, size_t i_block, ggml_tensor* x) const;
  KeysValues keys_values(Draft& draft, size_t i_block, ggml_tensor* inputs,
                         ggml_tensor* positions) const;
  // The rest of the block for the rows of x, which read() made `inputs` of. (n_embd, n)
  ggml_tensor* answer(Draft& draft, size_t i_block, ggml_tensor* x, ggml_tensor* inputs,
                      ggml_tensor* positions, const KeysValues& seen, const Sight& sight) const;
  ggml_tensor* norm(Draft& draft, ggml_tensor* x, const GraphNorm& norm) const;

 private:
  ggml_tensor* mask(Draft& draft, const BinShape& bin, ggml_tensor* masks) const;
  ggml_tensor* product(Draft& draft, const GraphLinear& linear, ggml_tensor* x) const;
  ggml_tensor* heads(Draft& draft, ggml_tensor* x, int n_heads, const GraphNorm& norm,
                     ggml_tensor* positions) const;
  ggml_tensor* attention(Draft& draft, ggml_tensor* q, const KeysValues& seen,
                         const Sight& sight) const;
  ggml_tensor* attend(Draft& draft, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                      ggml_tensor* mask) const;
  ggml_tensor* feed_forward(Draft& draft, const GraphBlock& block, ggml_tensor* inputs) const;

  const Network& net_;
  const GraphWeights& weights_;
  const bool flash_;
};

}  // namespace qwen3_embed
