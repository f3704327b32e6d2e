// Every product of the network in the two directions that training takes it: y = W x as inference
// packs it, dx = Wᵀ dy by the same kernels on a transposed copy, and the adapters' own four.
#pragma once

#include <memory>
#include <vector>

#include "core/cpu/cpu_network.h"
#include "core/train/lora.h"

namespace qwen3_embed::train {

struct TrainedProduct {
  int64_t n_in = 0, n_out = 0;
  std::shared_ptr<const Product> forward;  // W
  std::unique_ptr<Product> backward;       // Wᵀ; null where no gradient goes on from here
  const LoraPart* part = nullptr;          // or none
  // Of the part, with its rank filled up to a multiple of 32; the scale is in b and b_back.
  std::unique_ptr<Product> a, b, a_back, b_back;
};

struct TrainedBlock {
  const Block* block = nullptr;
  std::array<TrainedProduct, 7> products;  // as Block::linears()
};

class TrainedWeights {
 public:
  // `exact`: float products throughout, else the packed ones and an 8-bit transposed copy.
  TrainedWeights(std::shared_ptr<const Network> network, const Lora& lora, bool exact, Crew& crew,
                 const Abort& abort);

  // After a step of the optimiser.
  void pack_adapters(const Lora& lora, Crew& crew);

  const Network& network() const { return *network_; }
  const kernels::Kernels& kernels() const { return maker_.kernels(); }
  bool uses_ggml() const { return maker_.uses_ggml(); }
  int64_t padded_rank() const { return padded_rank_; }

  std::vector<TrainedBlock> blocks;

 private:
  void transpose(const WeightMatrix& matrix, bool exact, TrainedProduct& to, Crew& crew,
                 const Abort& abort);

  std::shared_ptr<const Network> network_;
  std::shared_ptr<const CpuNetwork> packed_;
  ProductMaker maker_;
  int64_t padded_rank_;
};

}  // namespace qwen3_embed::train
