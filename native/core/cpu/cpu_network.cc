#include "core/cpu/cpu_network.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "core/failure.h"
#include "core/machine/memory.h"

namespace qwen3_embed {
namespace {

std::shared_ptr<const CpuNetwork> pack_anew(std::shared_ptr<const Network> network,
                                            const std::string& kernels, Crew& crew,
                                            const Abort& abort,
                                            const std::function<void(double)>& on_progress) {
  ProductMaker maker(kernels, network->file);
  auto packed = std::make_shared<CpuNetwork>();
  uint64_t n_bytes = 0, n_done = 0;
  for (const Block& block : network->blocks) {
    for (const Linear* linear :
         {&block.q, &block.k, &block.v, &block.out, &block.gate, &block.up, &block.down}) {
      n_bytes += linear->weight.n_bytes;
    }
  }
  auto pack = [&](const Linear& from) {
    CpuLinear to;
    if (!from.present()) return to;
    to.product = maker.make(from.weight, crew, abort);
    if (!from.bias.empty()) to.bias = from.bias.data();
    n_done += from.weight.n_bytes;
    if (on_progress) on_progress(static_cast<double>(n_done) / static_cast<double>(n_bytes));
    return to;
  };
  for (const Block& block : network->blocks) {
    CpuBlock to;
    to.block = &block;
    to.q = pack(block.q);
    to.k = pack(block.k);
    to.v = pack(block.v);
    to.out = pack(block.out);
    to.gate = pack(block.gate);
    to.up = pack(block.up);
    to.down = pack(block.down);
    packed->blocks.push_back(std::move(to));
  }
  packed->kernels = &maker.kernels();
  packed->uses_ggml = maker.uses_ggml();
  packed->name = maker.name();
  packed->network = std::move(network);
  return packed;
}

// Those in use, by what they were packed from and for.
struct Shelf {
  std::mutex mutex;  // also held while one is packed: a second load of it waits, and shares
  std::weak_ptr<const CpuNetwork> packed;
};

std::shared_ptr<Shelf> shelf_for(const std::string& key) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<Shelf>> shelves;
  const std::lock_guard<std::mutex> lock(mutex);
  for (auto it = shelves.begin(); it != shelves.end();) {
    it = it->second.expired() ? shelves.erase(it) : std::next(it);
  }
  std::shared_ptr<Shelf> shelf = shelves[key].lock();
  if (shelf == nullptr) shelves[key] = shelf = std::make_shared<Shelf>();
  return shelf;
}

// The packed weights of `base`, beside what the adapters of `network` add to them.
std::shared_ptr<const CpuNetwork> add_adapters(std::shared_ptr<const Network> network,
                                               const CpuNetwork& base, const std::string& kernels) {
  ProductMaker maker(kernels, network->file);
  auto adapted = std::make_shared<CpuNetwork>(base);
  const bool tells_queries = network->tells_queries();
  for (size_t i = 0; i < network->blocks.size(); ++i) {
    const Block& block = network->blocks[i];
    CpuBlock& to = adapted->blocks[i];
    to.block = &block;
    const auto linears = block.linears();
    CpuLinear* const packed[] = {&to.q, &to.k, &to.v, &to.out, &to.gate, &to.up, &to.down};
    for (size_t l = 0; l < linears.size(); ++l)
      packed[l]->bias = linears[l]->bias.empty() ? nullptr : linears[l]->bias.data();
    auto of = [&](bool are_queries) {
      auto pack = [&](const std::vector<AdaptedLinear>& some) {
        return pack_adapters(maker, some, are_queries);
      };
      return CpuBlock::Adapters{
          pack({{block.q, to.q}, {block.k, to.k}, {block.v, to.v}}),
          pack({{block.out, to.out}}),
          pack({{block.gate, to.gate}, {block.up, to.up}}),
          pack({{block.down, to.down}}),
      };
    };
    to.of_queries = of(true);
    to.of_documents = tells_queries ? of(false) : to.of_queries;
  }
  adapted->network = std::move(network);
  return adapted;
}

}  // namespace

std::shared_ptr<const CpuNetwork> pack_network(std::shared_ptr<const Network> network,
                                               const std::string& kernels, Crew& crew,
                                               const Abort& abort,
                                               const std::function<void(double)>& on_progress) {
  if (abort && abort()) throw Failure{Code::aborted, "Loading was aborted.", {}};
  if (network->max_adapters() > 0) {
    auto plain = std::make_shared<Network>(*network);
    for (Block& block : plain->blocks) {
      for (Linear* linear : block.linears()) linear->adapters.clear();
    }
    const std::shared_ptr<const CpuNetwork> base =
        pack_network(std::move(plain), kernels, crew, abort, on_progress);
    return add_adapters(std::move(network), *base, kernels);
  }
  const std::shared_ptr<Shelf> shelf =
      shelf_for(kernels + (MemoryLock::is_on() ? " locked " : " ") + network->file->identity());
  const std::lock_guard<std::mutex> lock(shelf->mutex);
  std::shared_ptr<const CpuNetwork> packed = shelf->packed.lock();
  if (packed == nullptr) {
    packed = pack_anew(std::move(network), kernels, crew, abort, on_progress);
    // The shelf stands for as long as what is on it is used. Both are let go here: what a deleter
    // holds lives as long as the weak pointer to it, which is the shelf's own.
    packed = std::shared_ptr<const CpuNetwork>(packed.get(), [on = shelf, packed](auto*) mutable {
      packed.reset();
      on.reset();
    });
    shelf->packed = packed;
  }
  return packed;
}

}  // namespace qwen3_embed
