// The steps of a block, for the rows of a tile.
#include <algorithm>
#include <cmath>

#include "core/cpu/cpu_pass.h"

namespace qwen3_embed {

// What the block's products read: the rows, or their norm.
void CpuPass::read(const float* hidden, const Norm& norm, int32_t n_rows, const Abort& abort) {
  Inputs& inputs = work_.embd_inputs;
  inputs.resize(n_rows);
  work_.each_row("read", n_rows, abort, [&](int32_t row, Bench&) {
    const float* x = hidden + int64_t{row} * net_.n_embd;
    if (net_.norms_come_after) {
      inputs.store(x, row);
    } else {
      inputs.store_norm(x, norm.weight.data(), net_.epsilon, row);
    }
  });
  times_.rest_ms += watch_.lap_ms();
}

void CpuPass::project(const CpuBlock& block, const Tile& tile, bool queries, bool keys,
                      const Abort& abort) {
  const int64_t n_q = net_.n_q(), n_kv = net_.n_kv(), at = int64_t{tile.first} * n_kv;
  std::vector<Task> tasks;
  auto add = [&](const CpuLinear& linear, float* rows, int64_t width) {
    tasks.push_back({linear.product.get(), {rows, width, linear.bias, 0}});
  };
  if (queries) add(block.q, work_.q.floats(), n_q);
  if (keys) {
    add(block.k, rows_.k.floats() + at, n_kv);
    add(block.v, rows_.v.floats() + at, n_kv);
  }
  work_.multiply(abort, work_.embd_inputs, tasks, block.adapters(are_queries_).attention.get());
  times_.products_ms += watch_.lap_ms();
}

void CpuPass::rotate(const Block& block, const Tile& tile, bool queries, bool keys,
                     const Abort& abort) {
  if (net_.rope_theta == 0) return;
  const kernels::Kernels& kernel = work_.kernel();
  const int32_t dim = net_.head_dim;
  auto weight = [](const Norm& norm) { return norm.present() ? norm.weight.data() : nullptr; };
  work_.each_row("rotate", tile.n, abort, [&](int32_t i, Bench&) {
    const auto position = int64_t{trie_.positions[static_cast<size_t>(tile.row(i))]};
    const float* angles = work_.angles() + position * dim;
    if (queries) {
      kernel.norm_rope(work_.q.floats() + int64_t{i} * net_.n_q(), net_.n_head, dim, dim,
                       weight(block.q_norm), net_.epsilon, angles);
    }
    if (keys) {
      kernel.norm_rope(rows_.k.floats() + int64_t{tile.row(i)} * net_.n_kv(), net_.n_head_kv, dim,
                       dim, weight(block.k_norm), net_.epsilon, angles);
    }
  });
  times_.rest_ms += watch_.lap_ms();
}

const AttentionPlan& CpuPass::plan(const Tile& tile) {
  std::vector<AttentionPlan>& plans = tile.listed ? picked_plans_ : plans_;
  const auto index = static_cast<size_t>(tile.first / work_.tile());
  while (plans.size() <= index) {
    const auto first = static_cast<int32_t>(plans.size()) * work_.tile();
    const Tile next{first, std::min(work_.tile(), n_sweep_rows() - first), tile.listed};
    plans.push_back(plan_attention(trie_, next, net_.is_causal, queries_at_once(next.n)));
  }
  return plans[index];
}

// As many as the kernels like, but some questions for every thread.
int32_t CpuPass::queries_at_once(int32_t n_rows) const {
  constexpr int32_t kQuestionsPerThread = 4;
  const int32_t few = work_.crew().n_threads() <= 32 ? 64 : 32;
  auto n = static_cast<int32_t>(kernels::attention_queries(net_.n_head / net_.n_head_kv));
  const auto n_questions = [&] { return (n_rows + n - 1) / n * net_.n_head_kv; };
  while (n > few && n_questions() < kQuestionsPerThread * work_.crew().n_threads()) n /= 2;
  return n;
}

void CpuPass::attend(const CpuBlock& block, const Tile& tile, const Abort& abort) {
  const AttentionPlan& plan = this->plan(tile);
  // The result is rounded at once where the product it is for takes rounded rows.
  const kernels::Rounding rounding = block.out.product->rounding();
  // Head by head: the keys of one stay in the cache for the questions of a tile.
  const auto n = static_cast<int64_t>(plan.questions.size());
  work_.crew().tell("attend");
  work_.crew().each(n * net_.n_head_kv, abort, [&](int64_t item, int worker) {
    answer(plan.questions[static_cast<size_t>(item % n)], plan, item / n, rounding,
           work_.bench(worker));
  });
  times_.attention_ms += watch_.lap_ms();
}

void CpuPass::answer(const Question& question, const AttentionPlan& plan, int64_t head,
                     kernels::Rounding rounding, Bench& bench) const {
  const int64_t dim = net_.head_dim, group = net_.n_head / net_.n_head_kv;
  const int64_t n_q = net_.n_q(), n_kv = net_.n_kv();
  bench.key_runs.clear();
  for (int32_t i = question.spans_begin; i < question.spans_end; ++i) {
    const Span& span = plan.spans[static_cast<size_t>(i)];
    const KeptPrefix* kept =
        span.kept >= 0 ? prefixes_.kept[static_cast<size_t>(span.kept)].get() : nullptr;
    const int64_t at = int64_t{span.row} * n_kv + head * dim;
    bench.key_runs.push_back({(kept ? kept->keys(i_block_) : rows_.k.floats()) + at,
                              (kept ? kept->values(i_block_) : rows_.v.floats()) + at,
                              span.n_tokens});
  }
  float* q = work_.q.floats() + int64_t{question.first} * n_q + head * group * dim;
  kernels::Attention a;
  a.head_dim = dim;
  a.group = group;
  a.scale = 1.0f / std::sqrt(static_cast<float>(dim));
  a.rounding = rounding;
  a.is_causal = net_.is_causal;
  a.position = question.position;
  a.n_queries = question.n;
  a.n_keys = question.n_keys;
  a.q = q;
  a.q_token_stride = n_q;
  a.q_head_stride = dim;
  a.runs = bench.key_runs.data();
  a.n_runs = static_cast<int64_t>(bench.key_runs.size());
  a.k_token_stride = n_kv;
  a.v_token_stride = n_kv;
  a.out = q;
  a.out_token_stride = n_q;
  a.out_head_stride = dim;
  a.scratch = bench.attention_scratch;
  work_.kernel().attention(a);
}

void CpuPass::mix(const CpuBlock& block, float* hidden, int32_t n_rows, const Abort& abort) {
  Inputs& inputs = work_.q_inputs;
  inputs.resize(n_rows);
  work_.each_row("store", n_rows, abort, [&](int32_t row, Bench&) {
    inputs.store(work_.q.floats() + int64_t{row} * net_.n_q(), row);
  });
  times_.rest_ms += watch_.lap_ms();
  add_product(block.out, block.adapters(are_queries_).out.get(), inputs, hidden, n_rows, abort);
  if (net_.norms_come_after) norm_in_place(block.block->attention_norm, hidden, n_rows, abort);
}

void CpuPass::feed_forward(const CpuBlock& block, float* hidden, int32_t n_rows,
                           const Abort& abort) {
  read(hidden, block.block->feed_forward_norm, n_rows, abort);
  work_.ff_inputs.resize(n_rows);
  if (!gate_at_once(block, abort)) gate_in_floats(block, n_rows, abort);
  add_product(block.down, block.adapters(are_queries_).down.get(), work_.ff_inputs, hidden, n_rows,
              abort);
  if (net_.norms_come_after) norm_in_place(block.block->feed_forward_norm, hidden, n_rows, abort);
}

bool CpuPass::gate_at_once(const CpuBlock& block, const Abort& abort) {
  const auto plain = [](const CpuLinear& linear) {
    return linear.present() && linear.bias == nullptr;
  };
  if (net_.activation != Activation::silu || !plain(block.gate) || !plain(block.up) ||
      block.adapters(are_queries_).feed_forward != nullptr) {
    return false;
  }
  const bool done = run_swiglu(work_.crew(), abort, work_.embd_inputs, *block.gate.product,
                               *block.up.product, work_.ff_inputs);
  times_.products_ms += watch_.lap_ms();
  return done;
}

void CpuPass::gate_in_floats(const CpuBlock& block, int32_t n_rows, const Abort& abort) {
  float *gate = work_.gate.floats(), *up = work_.up.floats();
  const int64_t n_ff = net_.n_ff;
  std::vector<Task> tasks;
  if (block.gate.present())
    tasks.push_back({block.gate.product.get(), {gate, n_ff, block.gate.bias, 0}});
  tasks.push_back({block.up.product.get(), {up, n_ff, block.up.bias, 0}});
  work_.multiply(abort, work_.embd_inputs, tasks, block.adapters(are_queries_).feed_forward.get());
  times_.products_ms += watch_.lap_ms();

  Inputs& inputs = work_.ff_inputs;
  work_.each_row("gated", n_rows, abort, [&](int32_t row, Bench&) {
    const int64_t at = row * n_ff;
    if (net_.activation == Activation::silu) {
      inputs.store_swiglu(gate + at, up + at, row);
    } else {
      inputs.store_gelu(up + at, row);
    }
  });
  times_.rest_ms += watch_.lap_ms();
}

void CpuPass::add_product(const CpuLinear& linear, const CpuAdapters* adapters,
                          const Inputs& inputs, float* hidden, int32_t n_rows, const Abort& abort) {
  const int64_t n_embd = net_.n_embd;
  if (linear.bias != nullptr) {
    work_.each_row("bias", n_rows, abort, [&](int32_t row, Bench&) {
      float* x = hidden + row * n_embd;
      for (int64_t i = 0; i < n_embd; ++i) x[i] += linear.bias[i];
    });
  }
  work_.multiply(abort, inputs, {{linear.product.get(), {hidden, n_embd, hidden, n_embd}}},
                 adapters);
  times_.products_ms += watch_.lap_ms();
}

void CpuPass::norm_in_place(const Norm& norm, float* hidden, int32_t n_rows, const Abort& abort) {
  const kernels::Kernels& kernel = work_.kernel();
  const int64_t n_embd = net_.n_embd;
  work_.each_row("norm", n_rows, abort, [&](int32_t row, Bench&) {
    float* x = hidden + row * n_embd;
    if (norm.bias.empty()) {
      kernel.rms_norm(x, norm.weight.data(), net_.epsilon, n_embd, x);
    } else {
      kernel.layer_norm(x, norm.weight.data(), norm.bias.data(), net_.epsilon, n_embd, x);
    }
  });
  times_.rest_ms += watch_.lap_ms();
}

}  // namespace qwen3_embed
