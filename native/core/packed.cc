#include "core/packed.h"

#include <new>

#include "core/packed_cpu.h"

namespace qwen3_embed {

std::unique_ptr<Forward> make_packed(const Gguf& file, const Facts& facts,
                                     const PackedOptions& options) {
  try {
    return std::make_unique<PackedCpu>(file, facts, options);
  } catch (const std::bad_alloc&) {
    throw Failure{Code::out_of_memory,
                  "There is not enough memory for the weights of " + file.paths().front() +
                      ". Use a smaller or more strongly quantised model.",
                  {{"path", file.paths().front()}}};
  }
}

}  // namespace qwen3_embed
