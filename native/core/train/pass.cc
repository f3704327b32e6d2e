#include "core/train/pass.h"

#include <cmath>
#include <numeric>

#include "core/train/rows.h"

namespace qwen3_embed::train {
namespace {

enum : size_t { kQ, kK, kV, kOut, kGate, kUp, kDown };

std::vector<int32_t> count_up(int32_t n) {
  std::vector<int32_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<int32_t> unique_rows(std::vector<int32_t> rows) {
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

const float* weight_of(const Norm& norm) { return norm.present() ? norm.weight.data() : nullptr; }

}  // namespace

TrainPass::TrainPass(Work& work, const std::vector<const Sequence*>& sequences)
    : work_(work),
      net_(work.network()),
      trie_(build_trie(sequences)),
      all_(count_up(trie_.n_rows())),
      outputs_(unique_rows(trie_.last_rows)),
      sight_(trie_, all_),
      last_sight_(trie_, outputs_) {
  for (const int32_t row : trie_.last_rows) {
    output_of_.push_back(static_cast<int32_t>(
        std::lower_bound(outputs_.begin(), outputs_.end(), row) - outputs_.begin()));
  }
}

void TrainPass::embed(float* x) {
  std::vector<std::vector<uint8_t>> bytes(static_cast<size_t>(work_.crew().n_threads()));
  work_.each_row(trie_.n_rows(), [&](int64_t row, int worker) {
    read_row(*net_.file, net_.token_embd, trie_.ids[static_cast<size_t>(row)],
             bytes[static_cast<size_t>(worker)], x + row * net_.n_embd);
  });
  net_.file->check_unchanged();
}

void TrainPass::forward(float* rows) {
  const int64_t n_embd = net_.n_embd, n = trie_.n_rows();
  const size_t n_blocks = work_.weights().blocks.size();
  const auto m = static_cast<int64_t>(outputs_.size());
  inputs_.clear();
  inputs_.resize(n_blocks + 1);
  for (size_t i = 0; i <= n_blocks; ++i)
    inputs_[i].reserve(float_bytes(i == n_blocks ? m : n, n_embd));
  embed(inputs_[0].floats());
  Activations act;
  for (size_t i = 0; i < n_blocks; ++i)
    compute(i, inputs_[i].floats(), act, inputs_[i + 1].floats());
  Buffer normed(float_bytes(m, n_embd));
  work_.each_row(m, [&](int64_t i, int) {
    work_.kernel().rms_norm(inputs_[n_blocks].floats() + i * n_embd, net_.output_norm.weight.data(),
                            net_.epsilon, n_embd, normed.floats() + i * n_embd);
  });
  for (size_t s = 0; s < output_of_.size(); ++s) {
    const float* from = normed.floats() + int64_t{output_of_[s]} * n_embd;
    std::copy(from, from + n_embd, rows + static_cast<int64_t>(s) * n_embd);
  }
}

void TrainPass::compute(size_t i_block, const float* x, Activations& act, float* y) {
  const TrainedBlock& trained = work_.weights().blocks[i_block];
  const Block& block = *trained.block;
  const std::vector<int32_t>& rows = active(i_block);
  const int64_t n = trie_.n_rows(), m = static_cast<int64_t>(rows.size());
  const int64_t n_embd = net_.n_embd, n_q = net_.n_q(), n_kv = net_.n_kv(), n_ff = net_.n_ff;
  const int64_t rank = work_.weights().padded_rank();
  const kernels::Kernels& kernel = work_.kernel();
  for (Buffer* buffer : {&act.a, &act.x_active, &act.a_active, &act.x1, &act.b})
    buffer->reserve(float_bytes(buffer == &act.a ? n : m, n_embd));
  for (Buffer* buffer : {&act.k_raw, &act.k, &act.v}) buffer->reserve(float_bytes(n, n_kv));
  for (Buffer* buffer : {&act.q_raw, &act.q, &act.o}) buffer->reserve(float_bytes(m, n_q));
  for (Buffer* buffer : {&act.gate, &act.up, &act.f}) buffer->reserve(float_bytes(m, n_ff));
  for (Buffer& h : act.h) h.reserve(float_bytes(n, rank));

  work_.each_row(n, [&](int64_t row, int) {
    kernel.rms_norm(x + row * n_embd, block.attention_norm.weight.data(), net_.epsilon, n_embd,
                    act.a.floats() + row * n_embd);
  });
  work_.each_row(m, [&](int64_t i, int) {
    const int64_t row = rows[static_cast<size_t>(i)];
    std::copy(x + row * n_embd, x + (row + 1) * n_embd, act.x_active.floats() + i * n_embd);
    const float* a = act.a.floats() + row * n_embd;
    std::copy(a, a + n_embd, act.a_active.floats() + i * n_embd);
  });
  const auto& p = trained.products;
  work_.forward(p[kQ], act.a_active.floats(), m, nullptr, act.q_raw.floats(), act.h[kQ].floats());
  work_.forward(p[kK], act.a.floats(), n, nullptr, act.k_raw.floats(), act.h[kK].floats());
  work_.forward(p[kV], act.a.floats(), n, nullptr, act.v.floats(), act.h[kV].floats());

  const int32_t dim = net_.head_dim;
  const float* angles =
      work_.angles(*std::max_element(trie_.positions.begin(), trie_.positions.end()) + 1);
  auto rotate = [&](const Buffer& raw, const Buffer& to, int64_t i, int64_t row, int32_t n_heads,
                    const Norm& norm) {
    const int64_t width = int64_t{n_heads} * dim;
    std::copy(raw.floats() + i * width, raw.floats() + (i + 1) * width, to.floats() + i * width);
    kernel.norm_rope(to.floats() + i * width, n_heads, dim, dim, weight_of(norm), net_.epsilon,
                     angles + int64_t{trie_.positions[static_cast<size_t>(row)]} * dim);
  };
  work_.each_row(n, [&](int64_t row, int) {
    rotate(act.k_raw, act.k, row, row, net_.n_head_kv, block.k_norm);
  });
  work_.each_row(m, [&](int64_t i, int) {
    rotate(act.q_raw, act.q, i, rows[static_cast<size_t>(i)], net_.n_head, block.q_norm);
  });
  attend(i_block, act);
  work_.forward(p[kOut], act.o.floats(), m, act.x_active.floats(), act.x1.floats(),
                act.h[kOut].floats());
  work_.each_row(m, [&](int64_t i, int) {
    kernel.rms_norm(act.x1.floats() + i * n_embd, block.feed_forward_norm.weight.data(),
                    net_.epsilon, n_embd, act.b.floats() + i * n_embd);
  });
  work_.forward(p[kGate], act.b.floats(), m, nullptr, act.gate.floats(), act.h[kGate].floats());
  work_.forward(p[kUp], act.b.floats(), m, nullptr, act.up.floats(), act.h[kUp].floats());
  work_.each_row(m, [&](int64_t i, int) {
    swiglu(act.gate.floats() + i * n_ff, act.up.floats() + i * n_ff, n_ff,
           act.f.floats() + i * n_ff);
  });
  if (y != nullptr) {
    work_.forward(p[kDown], act.f.floats(), m, act.x1.floats(), y, act.h[kDown].floats());
  } else if (p[kDown].part != nullptr) {
    work_.lower(p[kDown], act.f.floats(), m, act.h[kDown].floats());
  }
}

// By the kernels of inference, exactly: nothing may be rounded that the backward computes again.
void TrainPass::attend(size_t i_block, Activations& act) {
  const int64_t dim = net_.head_dim, group = net_.n_head / net_.n_head_kv;
  const int64_t n_q = net_.n_q(), n_kv = net_.n_kv();
  const std::vector<int32_t>& rows = active(i_block);
  const Tile tile{0, static_cast<int32_t>(rows.size()), &rows};
  const AttentionPlan plan =
      plan_attention(trie_, tile, true, static_cast<int32_t>(kernels::attention_queries(group)));
  const auto n = static_cast<int64_t>(plan.questions.size());
  std::vector<std::vector<kernels::KeyRun>> runs(static_cast<size_t>(work_.crew().n_threads()));
  work_.crew().each(n * net_.n_head_kv, work_.abort(), [&](int64_t item, int worker) {
    const Question& question = plan.questions[static_cast<size_t>(item % n)];
    const int64_t head = item / n;
    std::vector<kernels::KeyRun>& keys = runs[static_cast<size_t>(worker)];
    keys.clear();
    for (int32_t i = question.spans_begin; i < question.spans_end; ++i) {
      const Span& span = plan.spans[static_cast<size_t>(i)];
      const int64_t at = int64_t{span.row} * n_kv + head * dim;
      keys.push_back({act.k.floats() + at, act.v.floats() + at, span.n_tokens});
    }
    kernels::Attention a;
    a.head_dim = dim;
    a.group = group;
    a.scale = 1.0f / std::sqrt(static_cast<float>(dim));
    a.rounding = kernels::Rounding::kNone;
    a.is_causal = true;
    a.position = question.position;
    a.n_queries = question.n;
    a.n_keys = question.n_keys;
    a.q = act.q.floats() + int64_t{question.first} * n_q + head * group * dim;
    a.q_token_stride = n_q;
    a.q_head_stride = dim;
    a.runs = keys.data();
    a.n_runs = static_cast<int64_t>(keys.size());
    a.k_token_stride = a.v_token_stride = n_kv;
    a.out = act.o.floats() + int64_t{question.first} * n_q + head * group * dim;
    a.out_token_stride = n_q;
    a.out_head_stride = dim;
    a.scratch = work_.attention_scratch(worker);
    work_.kernel().attention(a);
  });
}

void TrainPass::backward(const float* d_rows, Lora& lora) {
  const int64_t n_embd = net_.n_embd;
  const size_t n_blocks = work_.weights().blocks.size();
  const auto m = outputs_.size();
  // Sequences that are equal share their row: its gradients add up.
  Vector dz(m * static_cast<size_t>(n_embd));
  for (size_t s = 0; s < output_of_.size(); ++s) {
    float* to = dz.data() + int64_t{output_of_[s]} * n_embd;
    for (int64_t k = 0; k < n_embd; ++k) to[k] += d_rows[static_cast<int64_t>(s) * n_embd + k];
  }
  Buffer dy(float_bytes(std::max<int64_t>(trie_.n_rows(), static_cast<int64_t>(m)), n_embd)),
      dx(float_bytes(trie_.n_rows(), n_embd));
  work_.each_row(static_cast<int64_t>(m), [&](int64_t i, int) {
    rms_norm_backward(inputs_[n_blocks].floats() + i * n_embd, net_.output_norm.weight.data(),
                      net_.epsilon, n_embd, dz.data() + i * n_embd, false,
                      dy.floats() + i * n_embd);
  });
  Activations act;
  for (size_t i = n_blocks; i-- > lora.lowest_block();) {
    compute(i, inputs_[i].floats(), act, nullptr);
    back(i, inputs_[i].floats(), act, dy.floats(), i > lora.lowest_block() ? dx.floats() : nullptr,
         lora);
    std::swap(dy, dx);
  }
}

void TrainPass::back(size_t i_block, const float* x, const Activations& act, float* dy, float* dx,
                     Lora& lora) {
  const TrainedBlock& trained = work_.weights().blocks[i_block];
  const Block& block = *trained.block;
  const auto& p = trained.products;
  const std::vector<int32_t>& rows = active(i_block);
  const int64_t n = trie_.n_rows(), m = static_cast<int64_t>(rows.size());
  const int64_t n_embd = net_.n_embd, n_q = net_.n_q(), n_kv = net_.n_kv(), n_ff = net_.n_ff;

  // dy becomes the gradient by x1: what went around the feed-forward, and what came through it.
  Buffer df(float_bytes(m, n_ff)), dgate(float_bytes(m, n_ff)), dup(float_bytes(m, n_ff)),
      db(float_bytes(m, n_embd));
  work_.backward(p[kDown], act.f.floats(), act.h[kDown].floats(), dy, m, false, df.floats(), lora);
  work_.each_row(m, [&](int64_t i, int) {
    swiglu_backward(act.gate.floats() + i * n_ff, act.up.floats() + i * n_ff,
                    df.floats() + i * n_ff, n_ff, dgate.floats() + i * n_ff,
                    dup.floats() + i * n_ff);
  });
  work_.backward(p[kUp], act.b.floats(), act.h[kUp].floats(), dup.floats(), m, false, db.floats(),
                 lora);
  work_.backward(p[kGate], act.b.floats(), act.h[kGate].floats(), dgate.floats(), m, true,
                 db.floats(), lora);
  work_.each_row(m, [&](int64_t i, int) {
    rms_norm_backward(act.x1.floats() + i * n_embd, block.feed_forward_norm.weight.data(),
                      net_.epsilon, n_embd, db.floats() + i * n_embd, true, dy + i * n_embd);
  });

  Buffer d_o(float_bytes(m, n_q)), dq(float_bytes(m, n_q)), dk(float_bytes(n, n_kv)),
      dv(float_bytes(n, n_kv));
  work_.backward(p[kOut], act.o.floats(), act.h[kOut].floats(), dy, m, false, d_o.floats(), lora);
  attend_back(i_block, act, d_o.floats(), dq.floats(), dk.floats(), dv.floats());
  const int32_t dim = net_.head_dim;
  const float* angles = work_.angles(0);
  auto turn_back = [&](const Buffer& raw, const Buffer& d, int64_t i, int64_t row, int32_t n_heads,
                       const Norm& norm) {
    const int64_t at = i * n_heads * dim;
    norm_rope_backward(raw.floats() + at, n_heads, dim, weight_of(norm), net_.epsilon,
                       angles + int64_t{trie_.positions[static_cast<size_t>(row)]} * dim,
                       d.floats() + at, d.floats() + at);
  };
  work_.each_row(m, [&](int64_t i, int) {
    turn_back(act.q_raw, dq, i, rows[static_cast<size_t>(i)], net_.n_head, block.q_norm);
  });
  work_.each_row(n, [&](int64_t row, int) {
    turn_back(act.k_raw, dk, row, row, net_.n_head_kv, block.k_norm);
  });

  Buffer da, da_active;
  if (dx != nullptr) {
    da.reserve(float_bytes(n, n_embd));
    da_active.reserve(float_bytes(m, n_embd));
  }
  work_.backward(p[kQ], act.a_active.floats(), act.h[kQ].floats(), dq.floats(), m, false,
                 da_active.floats(), lora);
  work_.backward(p[kK], act.a.floats(), act.h[kK].floats(), dk.floats(), n, false, da.floats(),
                 lora);
  work_.backward(p[kV], act.a.floats(), act.h[kV].floats(), dv.floats(), n, true, da.floats(),
                 lora);
  if (dx == nullptr) return;
  work_.each_row(m, [&](int64_t i, int) {
    float* to = da.floats() + int64_t{rows[static_cast<size_t>(i)]} * n_embd;
    for (int64_t k = 0; k < n_embd; ++k) to[k] += da_active.floats()[i * n_embd + k];
  });
  work_.each_row(n, [&](int64_t row, int) {
    rms_norm_backward(x + row * n_embd, block.attention_norm.weight.data(), net_.epsilon, n_embd,
                      da.floats() + row * n_embd, false, dx + row * n_embd);
  });
  work_.each_row(m, [&](int64_t i, int) {
    float* to = dx + int64_t{rows[static_cast<size_t>(i)]} * n_embd;
    for (int64_t k = 0; k < n_embd; ++k) to[k] += dy[i * n_embd + k];
  });
}

// Twice over the scores: by query, then by key. Each gradient has one owner, who adds in row order.
void TrainPass::attend_back(size_t i_block, const Activations& act, const float* d_o, float* dq,
                            float* dk, float* dv) {
  const int64_t dim = net_.head_dim, group = net_.n_head / net_.n_head_kv;
  const int64_t n_q = net_.n_q(), n_kv = net_.n_kv(), n_head = net_.n_head;
  const std::vector<int32_t>& rows = active(i_block);
  const auto m = static_cast<int64_t>(rows.size());
  const float c = 1.0f / std::sqrt(static_cast<float>(dim));
  Vector log_sums(static_cast<size_t>(m * n_head)), deltas(log_sums.size());
  struct Room {
    std::vector<KeyRange> keys;
    Vector probabilities, slopes;
  };
  std::vector<Room> rooms(static_cast<size_t>(work_.crew().n_threads()));
  work_.each_row(m, [&](int64_t i, int worker) {
    Room& room = rooms[static_cast<size_t>(worker)];
    const int32_t row = rows[static_cast<size_t>(i)];
    const int32_t n_keys = trie_.positions[static_cast<size_t>(row)] + 1;
    room.probabilities.resize(static_cast<size_t>(n_keys));
    room.slopes.resize(static_cast<size_t>(n_keys));
    const std::vector<Span> spans = trie_.chain(trie_.run_of(row), n_keys);
    for (int64_t kv = 0; kv < net_.n_head_kv; ++kv) {
      room.keys.clear();
      for (const Span& span : spans) {
        const int64_t at = int64_t{span.row} * n_kv + kv * dim;
        room.keys.push_back({act.k.floats() + at, act.v.floats() + at, span.n_tokens});
      }
      for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
        const int64_t at = i * n_q + head * dim;
        const auto where = static_cast<size_t>(i * n_head + head);
        attention_by_query(act.q.floats() + at, d_o + at, dim, c, room.keys.data(),
                           static_cast<int64_t>(room.keys.size()), n_kv, room.probabilities.data(),
                           room.slopes.data(), dq + at, &log_sums[where], &deltas[where]);
      }
    }
  });
  work_.each_row(trie_.n_rows(), [&](int64_t row, int) {
    const auto key = static_cast<int32_t>(row);
    std::fill(dk + row * n_kv, dk + (row + 1) * n_kv, 0.0f);
    std::fill(dv + row * n_kv, dv + (row + 1) * n_kv, 0.0f);
    sight(i_block).each_seer(trie_.run_of(key), key, [&](int32_t i) {
      for (int64_t head = 0; head < n_head; ++head) {
        const int64_t at = int64_t{i} * n_q + head * dim, kv = row * n_kv + head / group * dim;
        const auto where = static_cast<size_t>(int64_t{i} * n_head + head);
        attention_by_key(act.q.floats() + at, d_o + at, dim, c, log_sums[where], deltas[where],
                         act.k.floats() + kv, act.v.floats() + kv, dk + kv, dv + kv);
      }
    });
  });
}

}  // namespace qwen3_embed::train
