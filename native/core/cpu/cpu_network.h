// A Network whose weights are packed for the CPU: immutable, so that everybody in the process who
// loads the same file for the same kernels shares one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu/product.h"
#include "core/network/network.h"

namespace qwen3_embed {

// y = W x, then for each adapter y += B (A x), its scale within B.
struct CpuLinear {
  struct Adapter {
    std::unique_ptr<Product> a, b;  // (n_in -> rank), (rank -> n_out); rank a multiple of 32
    bool queries_only;
  };
  const float* bias = nullptr;             // (n_out)
  std::shared_ptr<const Product> product;  // shared by those that differ in their adapters alone
  std::vector<Adapter> adapters;

  bool present() const { return product != nullptr; }
};

struct CpuBlock {
  const Block* block;
  CpuLinear q, k, v, out, gate, up, down;
};

struct CpuNetwork {
  std::shared_ptr<const Network> network;
  const kernels::Kernels* kernels;
  std::vector<CpuBlock> blocks;
  bool uses_ggml;
  std::string name;  // who multiplies
};

// Packs, or finds packed, what `network` holds.
std::shared_ptr<const CpuNetwork> pack_network(std::shared_ptr<const Network> network,
                                               const std::string& kernels, Crew& crew,
                                               const Abort& abort,
                                               const std::function<void(double)>& on_progress);

}  // namespace qwen3_embed
