#include "core/cpu/cpu_forward.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "core/packed/checks.h"

namespace qwen3_embed {
namespace {

// Enough rows that weights are read from memory seldom, few enough that a tile's activations stay
// in the cache and cost little beside the weights.
constexpr int32_t kTile = 512;

// Sequences cost a few words each beside their tokens.
constexpr int kMaxSequences = 4096;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

PackedCpu::PackedCpu(const Gguf& file, const Facts& facts, const PackedOptions& options)
    : facts_(facts),
      options_(options),
      n_embd_(facts.n_embd),
      n_q_(facts.n_head * facts.head_dim),
      n_kv_(facts.n_head_kv * facts.head_dim),
      n_ff_(facts.n_ff),
      tile_(options.tile > 0 ? options.tile : kTile),
      epsilon_(static_cast<float>(facts.rms_eps)),
      weights_(file, facts),
      crew_(std::max(options.n_threads, 1)),
      products_(options.kernels, crew_.n_threads()),
      embd_inputs_(products_.kernels(), n_embd_),
      q_inputs_(products_.kernels(), n_q_),
      ff_inputs_(products_.kernels(), n_ff_) {
  load(options);
  if (options.ranks) head_ = RankHead(weights_, options.yes, options.no);
  scratch_.reserve(kernels::kAttentionScratch * static_cast<size_t>(crew_.n_threads()));
  key_runs_.resize(static_cast<size_t>(crew_.n_threads()));
  limits_.n_embd = facts.n_embd;
  limits_.max_tokens = options.max_tokens;
  limits_.budget = options.budget;
  limits_.max_sequences = kMaxSequences;
  limits_.shares_prefixes = true;
  limits_.device = "CPU";
  limits_.kernels = products_.name();
}

void PackedCpu::load(const PackedOptions& options) {
  uint64_t n_bytes = 0, n_done = 0;
  for (const LayerWeights& layer : weights_.layers()) {
    for (const WeightMatrix* matrix :
         {&layer.wq, &layer.wk, &layer.wv, &layer.wo, &layer.gate, &layer.up, &layer.down}) {
      n_bytes += matrix->n_bytes;
    }
  }
  auto make = [&](const WeightMatrix& matrix, Inputs& inputs) {
    std::unique_ptr<Product> product = products_.make(weights_, matrix, crew_, options.abort_load);
    inputs.ask_for(product->form());
    n_done += matrix.n_bytes;
    if (options.on_progress)
      options.on_progress(static_cast<double>(n_done) / static_cast<double>(n_bytes));
    return product;
  };
  for (const LayerWeights& weights : weights_.layers()) {
    Layer layer;
    layer.weights = &weights;
    layer.wq = make(weights.wq, embd_inputs_);
    layer.wk = make(weights.wk, embd_inputs_);
    layer.wv = make(weights.wv, embd_inputs_);
    layer.wo = make(weights.wo, q_inputs_);
    layer.gate = make(weights.gate, embd_inputs_);
    layer.up = make(weights.up, embd_inputs_);
    layer.down = make(weights.down, ff_inputs_);
    layers_.push_back(std::move(layer));
  }
}

void PackedCpu::run(const Pack& pack, const Abort& abort, const RowSink& sink, const Pause& pause) {
  const ForwardTimes before = times_;
  try {
    check_pack(pack, limits_, weights_.token_embd().n_out, head_);
    const Trie trie = build_trie(pack.sequences);
    const std::vector<int32_t> outputs = output_rows(trie, pack.pooling);
    abort_ = &abort;
    pause_ = pause ? &pause : nullptr;
    reserve(trie.n_rows(), static_cast<int32_t>(outputs.size()));
    compute(trie, outputs);
    const float* rows = outputs.empty() ? rows_.hidden.floats() : rows_.outputs.floats();
    deliver_rows(trie, pack.pooling, outputs, rows, n_embd_, head_, sink);
    lap(times_.rest_ms);
    ++times_.n_packs;
    times_.n_tokens += trie.n_tokens;
    times_.n_tokens_run += trie.n_rows();
  } catch (const std::bad_alloc&) {
    release();
    throw out_of_memory(pack);
  } catch (...) {
    release();
    throw;
  }
  release();
  trace_pack(before, times_);
}

void PackedCpu::compute(const Trie& trie, const std::vector<int32_t>& outputs) {
  start_lap();
  grow_angles(trie);
  embed(trie);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const bool last = i + 1 == layers_.size();
    if (last && !outputs.empty()) {
      last_layer(layers_[i], trie, outputs);
    } else {
      layer(layers_[i], trie);
    }
  }
  if (outputs.empty()) {
    final_norm(rows_.hidden.floats(), trie.n_rows());
  } else {
    final_norm(rows_.outputs.floats(), static_cast<int32_t>(outputs.size()));
  }
}

void PackedCpu::embed(const Trie& trie) {
  float* hidden = rows_.hidden.floats();
  each_row(trie.n_rows(), [&](int32_t row, int) {
    Weights::read_row(weights_.token_embd(), trie.ids[static_cast<size_t>(row)],
                      hidden + int64_t{row} * n_embd_);
  });
}

// Tiles in row order: what a run attends to stands in rows before its own.
void PackedCpu::layer(const Layer& layer, const Trie& trie) {
  for (int32_t first = 0; first < trie.n_rows(); first += tile_) {
    const Tile tile{first, std::min(tile_, trie.n_rows() - first), nullptr};
    float* hidden = rows_.hidden.floats() + int64_t{first} * n_embd_;
    norm(hidden, layer.weights->attn_norm, tile.n);
    project(layer, tile, true, true);
    rotate(layer, trie, tile, true, true);
    attend(layer, trie, tile);
    mix(layer, hidden, tile.n);
    feed_forward(layer, hidden, tile.n);
    stand_aside();
  }
}

// Keys and values of all rows, everything else for the rows that are read.
void PackedCpu::last_layer(const Layer& layer, const Trie& trie,
                           const std::vector<int32_t>& outputs) {
  for (int32_t first = 0; first < trie.n_rows(); first += tile_) {
    const Tile tile{first, std::min(tile_, trie.n_rows() - first), nullptr};
    norm(rows_.hidden.floats() + int64_t{first} * n_embd_, layer.weights->attn_norm, tile.n);
    project(layer, tile, false, true);
    rotate(layer, trie, tile, false, true);
    stand_aside();
  }
  const auto n_outputs = static_cast<int32_t>(outputs.size());
  for (int32_t i = 0; i < n_outputs; ++i) {
    const float* row = rows_.hidden.floats() + int64_t{outputs[static_cast<size_t>(i)]} * n_embd_;
    std::copy(row, row + n_embd_, rows_.outputs.floats() + int64_t{i} * n_embd_);
  }
  for (int32_t first = 0; first < n_outputs; first += tile_) {
    const Tile tile{first, std::min(tile_, n_outputs - first), &outputs};
    float* hidden = rows_.outputs.floats() + int64_t{first} * n_embd_;
    norm(hidden, layer.weights->attn_norm, tile.n);
    project(layer, tile, true, false);
    rotate(layer, trie, tile, true, false);
    attend(layer, trie, tile);
    mix(layer, hidden, tile.n);
    feed_forward(layer, hidden, tile.n);
    stand_aside();
  }
}

void PackedCpu::norm(const float* hidden, const Vector& weight, int32_t n_rows) {
  embd_inputs_.resize(n_rows);
  each_row(n_rows, [&](int32_t row, int) {
    embd_inputs_.store_norm(hidden + int64_t{row} * n_embd_, weight.data(), epsilon_, row);
  });
  lap(times_.rest_ms);
}

void PackedCpu::project(const Layer& layer, const Tile& tile, bool queries, bool keys) {
  std::vector<Products::Task> tasks;
  if (queries) tasks.push_back({layer.wq.get(), {q_.floats(), n_q_, nullptr}});
  if (keys) {
    const int64_t at = int64_t{tile.first} * n_kv_;
    tasks.push_back({layer.wk.get(), {rows_.k.floats() + at, n_kv_, nullptr}});
    tasks.push_back({layer.wv.get(), {rows_.v.floats() + at, n_kv_, nullptr}});
  }
  products_.run(crew_, *abort_, embd_inputs_, tasks);
  lap(times_.products_ms);
}

void PackedCpu::rotate(const Layer& layer, const Trie& trie, const Tile& tile, bool queries,
                       bool keys) {
  const kernels::Kernels& kernel = products_.kernels();
  const int32_t dim = facts_.head_dim;
  each_row(tile.n, [&](int32_t i, int) {
    const auto position = int64_t{trie.positions[static_cast<size_t>(tile.row(i))]};
    const float* angles = angles_.floats() + position * dim;
    if (queries) {
      kernel.norm_rope(q_.floats() + int64_t{i} * n_q_, facts_.n_head, dim, dim,
                       layer.weights->q_norm.data(), epsilon_, angles);
    }
    if (keys) {
      kernel.norm_rope(rows_.k.floats() + int64_t{tile.row(i)} * n_kv_, facts_.n_head_kv, dim, dim,
                       layer.weights->k_norm.data(), epsilon_, angles);
    }
  });
  lap(times_.rest_ms);
}

// hidden += Wo · attention
void PackedCpu::mix(const Layer& layer, float* hidden, int32_t n_rows) {
  q_inputs_.resize(n_rows);
  each_row(n_rows,
           [&](int32_t row, int) { q_inputs_.store(q_.floats() + int64_t{row} * n_q_, row); });
  lap(times_.rest_ms);
  products_.run(crew_, *abort_, q_inputs_, {{layer.wo.get(), {hidden, n_embd_, hidden}}});
  lap(times_.products_ms);
}

// hidden += down · (silu(gate · x) · (up · x)), x = norm(hidden)
void PackedCpu::feed_forward(const Layer& layer, float* hidden, int32_t n_rows) {
  norm(hidden, layer.weights->ffn_norm, n_rows);
  products_.run(crew_, *abort_, embd_inputs_,
                {{layer.gate.get(), {gate_.floats(), n_ff_, nullptr}},
                 {layer.up.get(), {up_.floats(), n_ff_, nullptr}}});
  lap(times_.products_ms);
  ff_inputs_.resize(n_rows);
  products_.swiglu(crew_, *abort_, gate_.floats(), up_.floats(), ff_inputs_);
  lap(times_.rest_ms);
  products_.run(crew_, *abort_, ff_inputs_, {{layer.down.get(), {hidden, n_embd_, hidden}}});
  lap(times_.products_ms);
}

void PackedCpu::final_norm(float* hidden, int32_t n_rows) {
  each_row(n_rows, [&](int32_t row, int) {
    float* values = hidden + int64_t{row} * n_embd_;
    products_.kernels().rms_norm(values, weights_.output_norm().data(), epsilon_, n_embd_, values);
  });
}

void PackedCpu::start_lap() { lap_ = now_ns(); }

void PackedCpu::lap(double& stage_ms) {
  const int64_t now = now_ns();
  stage_ms += static_cast<double>(now - lap_) * 1e-6;
  lap_ = now;
}

}  // namespace qwen3_embed
