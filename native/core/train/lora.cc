#include "core/train/lora.h"

#include <cmath>

namespace qwen3_embed::train {
namespace {

// SplitMix64, and normal numbers by Box and Muller.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  double normal() {
    constexpr double kTau = 6.283185307179586;
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(kTau * uniform());
  }

 private:
  double uniform() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  uint64_t state_;
};

}  // namespace

Lora::Lora(const Network& network, const LoraOptions& options) : options_(options) {
  const size_t n_blocks = network.blocks.size();
  const size_t n =
      options.n_layers > 0 ? std::min(static_cast<size_t>(options.n_layers), n_blocks) : n_blocks;
  size_t at = 0;
  for (size_t i = n_blocks - n; i < n_blocks; ++i) {
    const auto linears = network.blocks[i].linears();
    for (size_t product = 0; product < linears.size(); ++product) {
      if (!options.targets[product]) continue;
      const WeightMatrix& weight = linears[product]->weight;
      LoraPart part{i, product, weight.name, weight.n_in, weight.n_out, at, 0};
      at += static_cast<size_t>(options.rank * weight.n_in);
      part.b = at;
      at += static_cast<size_t>(options.rank * weight.n_out);
      parts_.push_back(std::move(part));
    }
  }
  values.resize(at);
  gradients.resize(at);
  Random random(options.seed);
  for (const LoraPart& part : parts_) {
    const double deviation = 1 / std::sqrt(static_cast<double>(part.n_in));
    for (size_t i = part.a; i < part.b; ++i)
      values[i] = static_cast<float>(deviation * random.normal());
  }
}

const LoraPart* Lora::part(size_t block, size_t product) const {
  for (const LoraPart& part : parts_) {
    if (part.block == block && part.product == product) return &part;
  }
  return nullptr;
}

}  // namespace qwen3_embed::train
