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

// An interactive pass beside a bulk one.
constexpr size_t kSpareRows = 2;

// Where queries have a store of their own, the two share what one would have.
size_t prefix_bytes(const Network& network, const PackedOptions& options, bool of_queries) {
  if (!network.is_causal) return 0;
  if (network.tells_queries()) return options.prefix_bytes / 2;
  return of_queries ? 0 : options.prefix_bytes;
}

Workspace make_workspace(std::shared_ptr<const Network> network, const PackedOptions& options) {
  auto crew = std::make_unique<Crew>(std::max(options.n_threads, 1));
  auto packed = pack_network(std::move(network), options.kernels, *crew, options.abort_load,
                             options.on_progress);
  return {std::move(crew), std::move(packed),
          options.tile > 0 ? options.tile : tile_for(options.n_threads)};
}

}  // namespace

CpuForward::CpuForward(std::shared_ptr<const Network> network, const PackedOptions& options)
    : workspace_(make_workspace(network, options)),
      prefixes_(network->blocks.size(), network->n_kv(), prefix_bytes(*network, options, false)),
      query_prefixes_(network->blocks.size(), network->n_kv(),
                      prefix_bytes(*network, options, true)) {
  spare_.reserve(kSpareRows);
  if (options.ranks) head_ = RankHead(*network, options.yes, options.no);
  limits_.n_embd = network->n_embd;
  limits_.max_tokens = options.max_tokens;
  limits_.budget = options.budget;
  limits_.max_sequences = kMaxSequences;
  limits_.shares_prefixes = network->is_causal;
  limits_.tells_queries = network->tells_queries();
  limits_.device = "CPU";
  limits_.kernels = workspace_.net().name;
}

std::unique_ptr<Pass> CpuForward::begin(const Pack& pack) {
  check_pack(pack, limits_, workspace_.network().token_embd.n_out, head_);
  try {
    return std::make_unique<CpuPass>(*this, pack);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(n_tokens(pack));
  }
}

PassRows CpuForward::take_rows(int32_t n_rows, int32_t n_outputs) {
  const Network& net = workspace_.network();
  PassRows rows;
  if (!spare_.empty()) {
    rows = std::move(spare_.back());
    spare_.pop_back();
  }
  rows.hidden.reserve(float_bytes(n_rows, net.n_embd));
  rows.outputs.reserve(float_bytes(n_outputs, net.n_embd));
  rows.k.reserve(float_bytes(n_rows, net.n_kv()));
  rows.v.reserve(float_bytes(n_rows, net.n_kv()));
  workspace_.reserve(n_rows);
  ++n_passes_;
  return rows;
}

void CpuForward::give_back(PassRows rows) noexcept {
  const Network& net = workspace_.network();
  const size_t usual =
      float_bytes(usual_rows(), std::max({int64_t{net.n_embd}, net.n_kv(), int64_t{net.head_dim}}));
  for (Buffer* buffer : {&rows.hidden, &rows.outputs, &rows.k, &rows.v}) {
    if (buffer->n_bytes() > usual) buffer->free();
  }
  if (spare_.size() < kSpareRows) spare_.push_back(std::move(rows));
  if (--n_passes_ == 0) workspace_.trim_angles(usual_rows());
}

void CpuForward::add(const ForwardTimes& times) {
  times_.n_packs += times.n_packs;
  times_.n_tokens += times.n_tokens;
  times_.n_tokens_run += times.n_tokens_run;
  times_.n_tokens_kept += times.n_tokens_kept;
  times_.products_ms += times.products_ms;
  times_.attention_ms += times.attention_ms;
  times_.rest_ms += times.rest_ms;
}

ForwardTimes CpuForward::times() const {
  ForwardTimes times = times_;
  times.kept_bytes = static_cast<int64_t>(prefixes_.n_bytes() + query_prefixes_.n_bytes());
  return times;
}

}  // namespace qwen3_embed
