// A graph being built, and what must be written into its inputs once they have memory.
#pragma once

#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include "ggml-cpp.h"
#include "ggml.h"

namespace qwen3_embed {

struct Draft {
  // `n_adapters`: of any one product.
  Draft(size_t n_blocks, size_t n_adapters, bool are_queries) : are_queries(are_queries) {
    constexpr size_t kNodesPerBlock = 40 + 16 * 8, kNodesPerAdapter = 3 * 7;
    const size_t n_nodes = (kNodesPerBlock + kNodesPerAdapter * n_adapters) * n_blocks + 32;
    const size_t n_bytes =
        ggml_tensor_overhead() * n_nodes * 2 + ggml_graph_overhead_custom(n_nodes, false);
    context.reset(ggml_init({n_bytes, nullptr, true}));
    if (!context) throw std::bad_alloc();
    graph = ggml_new_graph_custom(context.get(), n_nodes, false);
  }

  ggml_tensor* input(std::vector<float> values, int64_t n0, int64_t n1) {
    return input(floats, GGML_TYPE_F32, std::move(values), n0, n1);
  }
  ggml_tensor* input(std::vector<ggml_fp16_t> values, int64_t n0, int64_t n1, int64_t n3) {
    ggml_tensor* tensor = ggml_new_tensor_4d(context.get(), GGML_TYPE_F16, n0, n1, 1, n3);
    ggml_set_input(tensor);
    halves.emplace_back(tensor, std::move(values));
    return tensor;
  }
  ggml_tensor* input(std::vector<int32_t> values) {
    const auto n = static_cast<int64_t>(values.size());
    return input(integers, GGML_TYPE_I32, std::move(values), n, 1);
  }

  const bool are_queries;
  ggml_context_ptr context;
  ggml_cgraph* graph = nullptr;
  ggml_tensor* output = nullptr;
  std::vector<std::pair<ggml_tensor*, std::vector<float>>> floats;
  std::vector<std::pair<ggml_tensor*, std::vector<ggml_fp16_t>>> halves;
  std::vector<std::pair<ggml_tensor*, std::vector<int32_t>>> integers;

 private:
  template <typename Values>
  ggml_tensor* input(std::vector<std::pair<ggml_tensor*, Values>>& inputs, ggml_type type,
                     Values values, int64_t n0, int64_t n1) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context.get(), type, n0, n1);
    ggml_set_input(tensor);
    inputs.emplace_back(tensor, std::move(values));
    return tensor;
  }
};

}  // namespace qwen3_embed
