#include "core/packed/packed.h"

#include <new>

#include "core/cpu/cpu_forward.h"
#include "core/graph/graph_forward.h"

namespace qwen3_embed {

namespace {

// What the kernels ask of a shape, and every published Qwen3 has. Other shapes run as a graph.
bool suits_kernels(const Facts& facts) {
  return facts.n_embd % 32 == 0 && facts.n_ff % 32 == 0 && facts.head_dim % 32 == 0 &&
         facts.head_dim <= kernels::kMaxHeadDim;
}

}  // namespace

std::unique_ptr<Forward> make_packed(const Gguf& file, const Facts& facts,
                                     const PackedOptions& options) {
  try {
    if (options.device != nullptr || options.portable_graph || !suits_kernels(facts)) {
      return std::make_unique<PackedGraph>(file, facts, options);
    }
    return std::make_unique<PackedCpu>(file, facts, options);
  } catch (const std::bad_alloc&) {
    throw Failure{Code::out_of_memory,
                  "There is not enough memory for the weights of " + file.paths().front() +
                      ". Use a smaller or more strongly quantised model.",
                  {{"path", file.paths().front()}}};
  }
}

}  // namespace qwen3_embed
