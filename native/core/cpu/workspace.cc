#include "core/cpu/workspace.h"

#include <cmath>

namespace qwen3_embed {

int64_t rows_at_once(int64_t n_rows, int n_threads) {
  constexpr int64_t kMost = 8, kPiecesPerThread = 3;
  return std::clamp<int64_t>(n_rows / (n_threads * kPiecesPerThread), 1, kMost);
}

Workspace::Workspace(std::unique_ptr<Crew> crew, std::shared_ptr<const CpuNetwork> network,
                     int32_t tile)
    : embd_inputs(*network->kernels, network->network->n_embd),
      q_inputs(*network->kernels, network->network->n_q()),
      ff_inputs(*network->kernels, network->network->n_ff),
      net_(std::move(network)),
      crew_(std::move(crew)),
      tile_(tile),
      benches_(static_cast<size_t>(crew_->n_threads())),
      scratch_(kernels::kAttentionScratch * benches_.size()),
      rank_inputs_(*net_->kernels, 0) {
  for (size_t i = 0; i < benches_.size(); ++i) {
    benches_[i].row.resize(static_cast<size_t>(this->network().n_embd));
    benches_[i].attention_scratch =
        static_cast<uint8_t*>(scratch_.data()) + i * kernels::kAttentionScratch;
    if (net_->uses_ggml) ggml_.push_back(std::make_unique<GgmlWorker>());
  }
  ask_for_forms();
}

void Workspace::ask_for_forms() {
  auto ask = [&](Inputs& inputs, const CpuLinear& linear) {
    if (!linear.present()) return;
    inputs.ask_for(linear.product->form());
    for (const CpuLinear::Adapter& adapter : linear.adapters) {
      inputs.ask_for(adapter.a->form());
      rank_inputs_.ask_for(adapter.b->form());
      rank_ = std::max(rank_, adapter.a->n_out());
    }
  };
  for (const CpuBlock& block : net_->blocks) {
    for (const CpuLinear* linear : {&block.q, &block.k, &block.v, &block.gate, &block.up})
      ask(embd_inputs, *linear);
    ask(q_inputs, block.out);
    ask(ff_inputs, block.down);
  }
}

void Workspace::reserve(int32_t n_rows) {
  const int64_t n = std::min(tile_, n_rows);
  q.reserve(float_bytes(n, network().n_q()));
  gate.reserve(float_bytes(n, network().n_ff));
  up.reserve(float_bytes(n, network().n_ff));
  low_rank_.reserve(float_bytes(n, rank_));
}

void Workspace::add_adapters(const Abort& abort, const CpuLinear& linear, const Inputs& inputs,
                             bool are_queries, float* y, int64_t stride) {
  const auto n_rows = static_cast<int32_t>(inputs.n_rows());
  for (const CpuLinear::Adapter& adapter : linear.adapters) {
    if (adapter.queries_only && !are_queries) continue;
    const int64_t rank = adapter.a->n_out();
    float* low = low_rank_.floats();
    multiply(abort, inputs, {{adapter.a.get(), {low, rank, nullptr, 0}}});
    rank_inputs_.resize(n_rows, rank);
    each_row(n_rows, abort,
             [&](int32_t row, Bench&) { rank_inputs_.store(low + int64_t{row} * rank, row); });
    multiply(abort, rank_inputs_, {{adapter.b.get(), {y, stride, y, stride}}});
  }
}

void Workspace::grow_angles(int32_t n_positions, const Abort& abort) {
  const Network& net = network();
  if (net.rope_theta == 0 || n_positions <= n_angles_) return;
  const int32_t dim = net.head_dim;
  // Passes that use them keep those they have, should this fail.
  Buffer more(float_bytes(n_positions, dim));
  const float* factors = net.rope_factors.empty() ? nullptr : net.rope_factors.data();
  each_row(n_positions, abort, [&](int32_t position, Bench&) {
    kernels::rope_angles(position, dim, net.rope_theta, factors,
                         more.floats() + int64_t{position} * dim);
  });
  std::swap(angles_, more);
  n_angles_ = n_positions;
}

void Workspace::trim_angles(int32_t usual) {
  if (n_angles_ <= usual) return;
  angles_.free();
  n_angles_ = 0;
}

}  // namespace qwen3_embed
