// The parameters that are trained: a pair of matrices for every product of the chosen layers, in
// one array, so that the optimiser knows nothing of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/network/network.h"

namespace qwen3_embed::train {

struct LoraOptions {
  int64_t rank = 16;
  double alpha = 32;
  uint64_t seed = 1;
  int32_t n_layers = 0;  // the last so many; 0: all
  // Of Block::linears(): q, k, v, out, gate, up, down.
  std::array<bool, 7> targets = {true, true, true, true, true, true, true};
};

struct LoraPart {
  size_t block = 0, product = 0;  // of Network::blocks, of Block::linears()
  std::string name;               // of the weights
  int64_t n_in = 0, n_out = 0;
  size_t a = 0, b = 0;  // where in the array: (rank, n_in), (n_out, rank)
};

class Lora {
 public:
  // A is normal with variance 1 / n_in, B zero: the model is what it was.
  Lora(const Network& network, const LoraOptions& options);

  const LoraOptions& options() const { return options_; }
  int64_t rank() const { return options_.rank; }
  float scale() const {
    return static_cast<float>(options_.alpha / static_cast<double>(options_.rank));
  }
  const std::vector<LoraPart>& parts() const { return parts_; }
  // Null where that product is not trained.
  const LoraPart* part(size_t block, size_t product) const;
  size_t lowest_block() const { return parts_.front().block; }

  Vector values, gradients;  // (n)

 private:
  const LoraOptions options_;
  std::vector<LoraPart> parts_;
};

}  // namespace qwen3_embed::train
