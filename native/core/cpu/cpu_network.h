// A Network whose weights are packed for the CPU: immutable, so that everybody in the process who
// loads the same file for the same kernels shares one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu/cpu_adapters.h"
#include "core/cpu/product.h"
#include "core/network/network.h"

namespace qwen3_embed {

struct CpuLinear {
  const float* bias = nullptr;             // (n_out)
  std::shared_ptr<const Product> product;  // shared by those that differ in their adapters alone

  bool present() const { return product != nullptr; }
};

struct CpuBlock {
  // By the rows that they read. Null where nothing is added.
  struct Adapters {
    std::shared_ptr<const CpuAdapters> attention, out, feed_forward, down;
  };

  const Block* block;
  CpuLinear q, k, v, out, gate, up, down;
  Adapters of_queries, of_documents;

  const Adapters& adapters(bool are_queries) const {
    return are_queries ? of_queries : of_documents;
  }
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
