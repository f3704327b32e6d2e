#include "core/network/make_forward.h"

#include <new>

#include "core/cpu/cpu_forward.h"
#include "core/graph/graph_forward.h"

namespace qwen3_embed {

namespace {

// What the kernels ask of a shape, and every published Qwen3 has. Other shapes run as a graph.
bool suits_kernels(const Network& network) {
  const int multiple = network.rope_theta == 0 ? 8 : 32;  // where a head is rotated
  return network.n_embd % 32 == 0 && network.n_ff % 32 == 0 && network.n_q() % 32 == 0 &&
         network.head_dim % multiple == 0 && network.head_dim <= kernels::kMaxHeadDim;
}

}  // namespace

std::unique_ptr<Forward> make_packed(const Gguf& file, const Facts& facts,
                                     const PackedOptions& options) {
  try {
    const std::shared_ptr<Network> network = build_network(file, facts);
    for (const Adapter& adapter : options.adapters) attach(adapter, *network);
    if (options.device != nullptr || options.portable_graph || !suits_kernels(*network)) {
      return std::make_unique<GraphForward>(network, options);
    }
    return std::make_unique<CpuForward>(network, options);
  } catch (const std::bad_alloc&) {
    throw Failure{Code::out_of_memory,
                  "There is not enough memory for the weights of " + file.paths().front() + ".",
                  {{"path", file.paths().front()}},
                  "Use a smaller or more strongly quantised model."};
  }
}

}  // namespace qwen3_embed
