#include "core/cpu/workspace.h"

#include <cmath>

namespace qwen3_embed {
namespace {

// Whole groups of rows of every kernel set.
constexpr int64_t kAdaptedRows = 48;

}  // namespace

int64_t rows_at_once(int64_t n_rows, int n_threads) {
  constexpr int64_t kMost = 8, kPiecesPerThread = 3;
  // A row takes about a microsecond; handing an item to one of many threads takes nearly as long.
  const int64_t least = std::clamp(n_threads / 16, 1, 8);
  return std::clamp<int64_t>(n_rows / (n_threads * kPiecesPerThread), least, kMost);
}

Workspace::Workspace(std::unique_ptr<Crew> crew, std::shared_ptr<const CpuNetwork> network,
                     int32_t tile, std::shared_ptr<Benches> benches, size_t first_bench)
    : embd_inputs(*network->kernels, network->network->n_embd),
      q_inputs(*network->kernels, network->network->n_q()),
      ff_inputs(*network->kernels, network->network->n_ff),
      net_(std::move(network)),
      crew_(std::move(crew)),
      tile_(tile),
      benches_(std::move(benches)),
      first_bench_(first_bench) {
  for (int worker = 0; worker < crew_->n_threads(); ++worker) {
    bench(worker).row.resize(static_cast<size_t>(this->network().n_embd));
    if (net_->uses_ggml) ggml_.push_back(std::make_unique<GgmlWorker>());
  }
  ask_for_forms();
}

void Workspace::ask_for_forms() {
  auto ask = [](Inputs& inputs, const CpuLinear& linear) {
    if (linear.present()) inputs.ask_for(linear.product->form());
  };
  int64_t rank = 0;
  auto ask_beside = [&](Inputs& inputs, const std::shared_ptr<const CpuAdapters>& adapters) {
    if (adapters == nullptr) return;
    inputs.ask_for(adapters->a->form());
    width_ = std::max(width_, adapters->a->n_out());
    for (const CpuAdapters::Part& part : adapters->parts) {
      rank = std::max(rank, part.b->n_in());
      for (int worker = 0; worker < crew_->n_threads(); ++worker) {
        Bench& bench = this->bench(worker);
        if (bench.low_rows == nullptr) bench.low_rows = std::make_unique<Inputs>(kernel(), 0);
        bench.low_rows->ask_for(part.b->form());
      }
    }
  };
  for (const CpuBlock& block : net_->blocks) {
    for (const CpuLinear* linear : {&block.q, &block.k, &block.v, &block.gate, &block.up})
      ask(embd_inputs, *linear);
    ask(q_inputs, block.out);
    ask(ff_inputs, block.down);
    for (const CpuBlock::Adapters* adapters : {&block.of_queries, &block.of_documents}) {
      ask_beside(embd_inputs, adapters->attention);
      ask_beside(q_inputs, adapters->out);
      ask_beside(embd_inputs, adapters->feed_forward);
      ask_beside(ff_inputs, adapters->down);
    }
  }
  for (int worker = 0; worker < crew_->n_threads(); ++worker) {
    Bench& bench = this->bench(worker);
    if (bench.low_rows == nullptr) continue;
    bench.low_row.resize(static_cast<size_t>(rank));
    bench.low_rows->resize(kAdaptedRows, rank);
  }
}

void Workspace::reserve(int32_t n_rows) {
  const int64_t n = std::min(tile_, n_rows);
  q.reserve(float_bytes(n, network().n_q()));
  gate.reserve(float_bytes(n, network().n_ff));
  up.reserve(float_bytes(n, network().n_ff));
  low_rank_.reserve(float_bytes(n, width_));
}

void Workspace::multiply(const Abort& abort, const Inputs& inputs, const std::vector<Task>& tasks,
                         const CpuAdapters* adapters) {
  if (adapters == nullptr) return multiply(abort, inputs, tasks);
  std::vector<Task> with_a = tasks;
  with_a.push_back({adapters->a.get(), {low_rank_.floats(), adapters->a->n_out(), nullptr, 0}});
  multiply(abort, inputs, with_a);
  add(abort, *adapters, tasks, inputs.n_rows());
}

// Some rows of one linear at a time, so that a thread has its inner rows at hand and its sums in
// the cache. Whoever takes them adds in the order of the parts.
void Workspace::add(const Abort& abort, const CpuAdapters& adapters, const std::vector<Task>& tasks,
                    int64_t n_rows) {
  const int64_t width = adapters.a->n_out();
  const int64_t n_pieces = (n_rows + kAdaptedRows - 1) / kAdaptedRows;
  crew_->tell("adapters");
  crew_->each(n_pieces * static_cast<int64_t>(tasks.size()), abort, [&](int64_t item, int worker) {
    const Task& task = tasks[static_cast<size_t>(item / n_pieces)];
    const int64_t first = item % n_pieces * kAdaptedRows,
                  n = std::min(kAdaptedRows, n_rows - first);
    float* to = task.output.rows + first * task.output.stride;
    Bench& own = bench(worker);
    for (const CpuAdapters::Part& part : adapters.parts) {
      if (part.to != task.product) continue;
      std::fill(own.low_row.begin(), own.low_row.end(), 0.0f);
      own.low_rows->resize(n, part.b->n_in());
      for (int64_t row = 0; row < n; ++row) {
        const float* low = low_rank_.floats() + (first + row) * width + part.first;
        for (int64_t r = 0; r < part.rank; ++r)
          own.low_row[static_cast<size_t>(r)] = part.factor * low[r];
        own.low_rows->store(own.low_row.data(), row);
      }
      part.b->run_part(*own.low_rows, {to, task.output.stride, to, task.output.stride}, 0, 1,
                       nullptr);
    }
  });
}

void Workspace::grow_angles(int32_t n_positions, const Abort& abort) {
  const Network& net = network();
  if (net.rope_theta == 0 || n_positions <= n_angles_) return;
  const int32_t dim = net.head_dim;
  // Passes that use them keep those they have, should this fail.
  Buffer more(float_bytes(n_positions, dim));
  const float* factors = net.rope_factors.empty() ? nullptr : net.rope_factors.data();
  each_row("angles", n_positions, abort, [&](int32_t position, Bench&) {
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
