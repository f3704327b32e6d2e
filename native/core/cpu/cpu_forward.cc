#include "core/cpu/cpu_forward.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/cpu/cpu_pass.h"
#include "core/network/checks.h"

namespace qwen3_embed {
namespace {

// Enough rows that weights are read from memory seldom, few enough that a tile's activations stay
// in the cache and cost little beside the weights. Many threads have more cache together, and need
// more rows for as long a step.
int32_t tile_for(int n_threads) { return n_threads <= 16 ? 512 : n_threads <= 32 ? 1024 : 2048; }

// Sequences cost a few words each beside their tokens.
constexpr int kMaxSequences = 4096;

// Where queries have a store of their own, the two share what one would have.
size_t prefix_bytes(const Network& network, const PackedOptions& options, bool of_queries) {
  if (!network.is_causal) return 0;
  if (network.tells_queries()) return options.prefix_bytes / 2;
  return of_queries ? 0 : options.prefix_bytes;
}

// Of all threads.
std::unique_ptr<Workspace> make_workspace(std::shared_ptr<const Network> network,
                                          const PackedOptions& options) {
  const int n_threads = std::max(options.n_threads, 1);
  auto crew = std::make_unique<Crew>(n_threads);
  auto packed = pack_network(std::move(network), options.kernels, *crew, options.abort_load,
                             options.on_progress);
  return std::make_unique<Workspace>(std::move(crew), std::move(packed),
                                     options.tile > 0 ? options.tile : tile_for(n_threads),
                                     std::make_shared<Benches>(static_cast<size_t>(n_threads)), 0);
}

}  // namespace

CpuForward::CpuForward(std::shared_ptr<const Network> network, const PackedOptions& options)
    : prefixes_(network->blocks.size(), network->n_kv(), prefix_bytes(*network, options, false)),
      query_prefixes_(network->blocks.size(), network->n_kv(),
                      prefix_bytes(*network, options, true)) {
  workspaces_.push_back(make_workspace(network, options));
  if (options.n_crews > 1) deal_out(options);
  n_passes_.resize(workspaces_.size());
  spare_.reserve(n_spare_rows());
  if (options.ranks) head_ = RankHead(*network, options.yes, options.no);
  limits_.n_embd = network->n_embd;
  limits_.max_tokens = options.max_tokens;
  limits_.budget = options.budget;
  limits_.max_sequences = kMaxSequences;
  limits_.shares_prefixes = network->is_causal;
  limits_.tells_queries = network->tells_queries();
  limits_.device = "CPU";
  limits_.kernels = workspace(0).net().name;
}

// The threads of crew 0 a second time, as so many crews: asleep while it works, as it is while they
// do.
void CpuForward::deal_out(const PackedOptions& options) {
  const int n_threads = workspace(0).crew().n_threads(), n = std::min(options.n_crews, n_threads);
  for (int i = 0, first = 0; i < n; ++i) {
    const int width = n_threads / n + (i < n_threads % n ? 1 : 0);
    workspaces_.push_back(
        std::make_unique<Workspace>(std::make_unique<Crew>(width), workspace(0).shared_net(),
                                    options.tile > 0 ? options.tile : tile_for(width),
                                    workspace(0).benches(), static_cast<size_t>(first)));
    first += width;
  }
}

std::unique_ptr<Pass> CpuForward::begin(const Pack& pack) {
  check_pack(pack, limits_, workspace(0).network().token_embd.n_out, head_);
  try {
    return std::make_unique<CpuPass>(*this, pack);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(n_tokens(pack));
  }
}

PassRows CpuForward::take_rows(int crew, int32_t n_rows, int32_t n_outputs) {
  const Network& net = workspace(crew).network();
  PassRows rows;
  if (!spare_.empty()) {
    rows = std::move(spare_.back());
    spare_.pop_back();
  }
  rows.hidden.reserve(float_bytes(n_rows, net.n_embd));
  rows.outputs.reserve(float_bytes(n_outputs, net.n_embd));
  rows.k.reserve(float_bytes(n_rows, net.n_kv()));
  rows.v.reserve(float_bytes(n_rows, net.n_kv()));
  workspace(crew).reserve(n_rows);
  ++n_passes_[static_cast<size_t>(crew)];
  return rows;
}

void CpuForward::give_back(int crew, PassRows rows) noexcept {
  const Network& net = workspace(crew).network();
  const size_t usual =
      float_bytes(usual_rows(), std::max({int64_t{net.n_embd}, net.n_kv(), int64_t{net.head_dim}}));
  for (Buffer* buffer : {&rows.hidden, &rows.outputs, &rows.k, &rows.v}) {
    if (buffer->n_bytes() > usual) buffer->free();
  }
  if (spare_.size() < n_spare_rows()) spare_.push_back(std::move(rows));
  if (--n_passes_[static_cast<size_t>(crew)] == 0) workspace(crew).trim_angles(usual_rows());
}

void CpuForward::add(const ForwardTimes& times) {
  const std::lock_guard<std::mutex> lock(mutex_);
  times_.n_packs += times.n_packs;
  times_.n_dealt += times.n_dealt;
  times_.n_tokens += times.n_tokens;
  times_.n_tokens_run += times.n_tokens_run;
  times_.n_tokens_kept += times.n_tokens_kept;
  times_.products_ms += times.products_ms;
  times_.attention_ms += times.attention_ms;
  times_.rest_ms += times.rest_ms;
}

ForwardTimes CpuForward::times() const {
  ForwardTimes times;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    times = times_;
  }
  times.kept_bytes = static_cast<int64_t>(prefixes_.n_bytes() + query_prefixes_.n_bytes());
  return times;
}

}  // namespace qwen3_embed
