#include "core/cpu/cpu_pass.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/network/checks.h"
#include "core/road/vectors.h"

namespace qwen3_embed {
namespace {

PrefixUse use_prefixes(PrefixStore& store, const Pack& pack) {
  PrefixUse use;
  // Other poolings read the prefix's rows too.
  if (pack.pooling != Pooling::last && pack.pooling != Pooling::rank) return use;
  std::vector<int32_t> n_kept;
  for (const Sequence* sequence : pack.sequences) {
    const PrefixStore::Found found = store.find(*sequence);
    KeptPart part;
    if (found.prefix) {
      const auto known = std::find(use.kept.begin(), use.kept.end(), found.prefix);
      part = {static_cast<int32_t>(known - use.kept.begin()), found.n_tokens};
      if (known == use.kept.end()) use.kept.push_back(found.prefix);
    }
    use.parts.push_back(part);
    n_kept.push_back(part.n_tokens);
  }
  const PrefixStore::Worth worth = store.worth_keeping(pack.sequences, n_kept, pack.next);
  if (worth.n_tokens == 0) return use;
  use.i_keeping = worth.i_sequence;
  try {
    use.keeping = store.prepare(*pack.sequences[worth.i_sequence], worth.n_tokens);
  } catch (const std::bad_alloc&) {
    // It would have saved time; the pass needs its memory more.
  }
  return use;
}

}  // namespace

CpuPass::CpuPass(CpuForward& forward, const Pack& pack)
    : CpuPass(forward, pack, use_prefixes(forward.prefixes(pack.are_queries), pack)) {}

CpuPass::CpuPass(CpuForward& forward, const Pack& pack, PrefixUse prefixes)
    : forward_(forward),
      crew_(pack.crew),
      work_(forward.workspace(crew_)),
      net_(work_.network()),
      are_queries_(pack.are_queries),
      prefixes_(std::move(prefixes)),
      trie_(build_trie(pack.sequences, net_.is_causal, prefixes_.parts)),
      outputs_(net_, trie_, pack.pooling) {
  net_.file->check_unchanged();
  start_block();
  rows_ = forward_.take_rows(crew_, trie_.n_rows(), static_cast<int32_t>(outputs_.rows().size()));
}

CpuPass::~CpuPass() { forward_.give_back(crew_, std::move(rows_)); }

bool CpuPass::step(const Abort& abort) {
  if (finished_) return false;
  watch_.start();
  try {
    take_step(abort);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(trie_.n_tokens);
  }
  return !finished_;
}

void CpuPass::take_step(const Abort& abort) {
  if (!embedded_) {
    work_.grow_angles(*std::max_element(trie_.positions.begin(), trie_.positions.end()) + 1, abort);
    embed(abort);
    embedded_ = true;
    return;
  }
  run_tile(abort);
  go_on();
  if (i_block_ == work_.net().blocks.size()) finish(abort);
}

void CpuPass::embed(const Abort& abort) {
  float* hidden = rows_.hidden.floats();
  const int64_t n_embd = net_.n_embd;
  work_.each_row("embed", trie_.n_rows(), abort, [&](int32_t row, Bench& bench) {
    const auto i = static_cast<size_t>(row);
    float* x = hidden + row * n_embd;
    read_row(*net_.file, net_.token_embd, trie_.ids[i], bench.bytes, x);
    for (size_t k = 0; k < net_.token_type.size(); ++k) x[k] += net_.token_type[k];
    if (net_.position_embd.n_out > 0) {
      read_row(*net_.file, net_.position_embd, trie_.positions[i], bench.bytes, bench.row.data());
      for (int64_t k = 0; k < n_embd; ++k) x[k] += bench.row[static_cast<size_t>(k)];
    }
  });
  // Rows that were written over while they were read are never used.
  net_.file->check_unchanged();
  if (net_.embedding_norm.present())
    norm_in_place(net_.embedding_norm, hidden, trie_.n_rows(), abort);
  times_.rest_ms += watch_.lap_ms();
}

// ---- the order of things ----

void CpuPass::start_block() {
  sweep_ = net_.is_causal && !picks_rows() ? Sweep::all : Sweep::keys;
  first_ = 0;
}

int32_t CpuPass::n_sweep_rows() const {
  return sweeps_picked() ? static_cast<int32_t>(outputs_.rows().size()) : trie_.n_rows();
}

void CpuPass::go_on() {
  first_ += work_.tile();
  if (first_ < n_sweep_rows()) return;
  first_ = 0;
  if (sweep_ != Sweep::answers) keep_block();
  if (sweep_ == Sweep::keys) {
    sweep_ = Sweep::answers;
    if (sweeps_picked()) gather_picked();
    return;
  }
  ++i_block_;
  if (i_block_ < work_.net().blocks.size()) start_block();
}

// Tiles in row order: what a run attends to stands in rows before its own.
void CpuPass::run_tile(const Abort& abort) {
  const CpuBlock& block = work_.net().blocks[i_block_];
  const Tile tile{first_, std::min(work_.tile(), n_sweep_rows() - first_),
                  sweeps_picked() ? &outputs_.rows() : nullptr};
  Buffer& rows = sweeps_picked() ? rows_.outputs : rows_.hidden;
  float* hidden = rows.floats() + int64_t{first_} * net_.n_embd;
  const bool asks = sweep_ != Sweep::keys, keys = sweep_ != Sweep::answers;
  read(hidden, block.block->attention_norm, tile.n, abort);
  project(block, tile, asks, keys, abort);
  rotate(*block.block, tile, asks, keys, abort);
  if (!asks) return;
  attend(block, tile, abort);
  mix(block, hidden, tile.n, abort);
  feed_forward(block, hidden, tile.n, abort);
}

void CpuPass::gather_picked() {
  const int64_t n_embd = net_.n_embd;
  float* to = rows_.outputs.floats();
  for (const int32_t row : outputs_.rows()) {
    const float* from = rows_.hidden.floats() + int64_t{row} * n_embd;
    to = std::copy(from, from + n_embd, to);
  }
}

// This block's keys and values of the prefix that is to be kept.
void CpuPass::keep_block() {
  if (!prefixes_.keeping) return;
  const KeptPrefix& keeping = *prefixes_.keeping;
  const auto n_kv = static_cast<size_t>(net_.n_kv());
  const auto n_tokens = static_cast<int32_t>(keeping.ids.size());
  for (const Span& span : trie_.chain(trie_.last_runs[prefixes_.i_keeping], n_tokens)) {
    const KeptPrefix* old =
        span.kept >= 0 ? prefixes_.kept[static_cast<size_t>(span.kept)].get() : nullptr;
    const size_t from = static_cast<size_t>(span.row) * n_kv,
                 to = static_cast<size_t>(span.position) * n_kv,
                 n_bytes = static_cast<size_t>(span.n_tokens) * n_kv * sizeof(float);
    std::memcpy(keeping.keys(i_block_) + to, (old ? old->keys(i_block_) : rows_.k.floats()) + from,
                n_bytes);
    std::memcpy(keeping.values(i_block_) + to,
                (old ? old->values(i_block_) : rows_.v.floats()) + from, n_bytes);
  }
}

void CpuPass::finish(const Abort& abort) {
  const bool all = outputs_.rows().empty();
  float* hidden = (all ? rows_.hidden : rows_.outputs).floats();
  const auto n_rows = all ? trie_.n_rows() : static_cast<int32_t>(outputs_.rows().size());
  if (net_.output_norm.present()) norm_in_place(net_.output_norm, hidden, n_rows, abort);
  // What is not finite may have come from a neighbour: its keys are nobody's business.
  if (prefixes_.keeping &&
      all_finite(hidden, static_cast<size_t>(n_rows) * static_cast<size_t>(net_.n_embd))) {
    forward_.prefixes(are_queries_).keep(prefixes_.keeping);
  }
  finished_ = true;
  times_.rest_ms += watch_.lap_ms();
  times_.n_packs = 1;
  times_.n_dealt = crew_ > 0 ? 1 : 0;
  times_.n_tokens = trie_.n_tokens;
  times_.n_tokens_run = trie_.n_rows();
  for (const KeptPart& part : prefixes_.parts) times_.n_tokens_kept += part.n_tokens;
  forward_.add(times_);
  trace_pass(times_);
}

RowView CpuPass::row(size_t i_sequence) {
  const Buffer& rows = outputs_.rows().empty() ? rows_.hidden : rows_.outputs;
  return outputs_.read(trie_, i_sequence, rows.floats(), forward_.head());
}

}  // namespace qwen3_embed
