// A graph being built: its tensors, and one input for all whole numbers that it reads.
#pragma once

#include <cstdint>
#include <new>

#include "core/graph/indices.h"
#include "ggml-cpp.h"
#include "ggml.h"

namespace qwen3_embed {

struct Draft {
  // `n_adapters`: of any one product.
  Draft(size_t n_blocks, size_t n_adapters, bool are_queries, int64_t n_indices)
      : are_queries(are_queries) {
    constexpr size_t kNodesPerBlock = 40 + 16 * 8, kNodesPerAdapter = 3 * 7;
    const size_t n_nodes = (kNodesPerBlock + kNodesPerAdapter * n_adapters) * n_blocks + 64;
    const size_t n_bytes =
        ggml_tensor_overhead() * n_nodes * 2 + ggml_graph_overhead_custom(n_nodes, false);
    context.reset(ggml_init({n_bytes, nullptr, true}));
    if (!context) throw std::bad_alloc();
    graph = ggml_new_graph_custom(context.get(), n_nodes, false);
    if (n_indices > 0) indices = input(GGML_TYPE_I32, n_indices, 1);
  }

  ggml_tensor* input(ggml_type type, int64_t n0, int64_t n1, int64_t n3 = 1) {
    ggml_tensor* tensor = ggml_new_tensor_4d(context.get(), type, n0, n1, 1, n3);
    ggml_set_input(tensor);
    return tensor;
  }
  ggml_tensor* part(const Slice& slice) {
    return ggml_view_1d(context.get(), indices, slice.n,
                        static_cast<size_t>(slice.first) * sizeof(int32_t));
  }

  const bool are_queries;
  ggml_context_ptr context;
  ggml_cgraph* graph = nullptr;
  ggml_tensor* indices = nullptr;
  ggml_tensor* output = nullptr;
};

}  // namespace qwen3_embed
