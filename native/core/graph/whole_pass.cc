#include "core/graph/whole_pass.h"

#include <new>
#include <utility>

#include "core/graph/ladder.h"
#include "core/network/checks.h"

namespace qwen3_embed {

WholePass::WholePass(GraphForward& forward, Trie trie, const Pack& pack)
    : forward_(forward), trie_(std::move(trie)), outputs_(forward.network(), trie_, pack.pooling) {
  const Network& network = forward_.network();
  network.file->check_unchanged();
  plan_ = plan_pack(trie_, outputs_.rows(), network.blocks.size(), pack.are_queries,
                    forward_.stream_rules(pads()));
  graph_ = forward_.graph_of(plan_.shape, pads());
  if (graph_->embeddings() == nullptr) return;
  embeddings_ = embeddings_from_file(network, trie_);
  const size_t n_real = embeddings_.size(), width = static_cast<size_t>(network.n_embd);
  embeddings_.resize(static_cast<size_t>(plan_.shape.n_rows) * width);
  for (size_t i = n_real; i < embeddings_.size(); ++i) embeddings_[i] = embeddings_[i - width];
}

WholePass::~WholePass() {
  if (state_ == State::started) settle();
  if (state_ == State::planned) keep_graph();
}

bool WholePass::pads() const { return forward_.pads() && trie_.n_rows() <= kMostPaddedRows; }

bool WholePass::step(const Abort& abort) {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  try {
    switch (state_) {
      case State::planned:
        start(abort);
        return true;
      case State::started:
        finish();
        return false;
      case State::failed:
      case State::done:
        return false;
    }
  } catch (const std::bad_alloc&) {
    throw out_of_memory(trie_.n_tokens);
  }
  return false;
}

void WholePass::start(const Abort& abort) {
  watch_.lap_ms();
  state_ = State::failed;
  Device& device = forward_.device();
  forward_.prepare(*graph_, pads());
  // An input that no step reads has no memory.
  if (graph_->indices()->buffer != nullptr)
    device.upload(graph_->indices(), plan_.indices.data(), plan_.indices.size() * sizeof(int32_t));
  if (!embeddings_.empty())
    device.upload(graph_->embeddings(), embeddings_.data(), embeddings_.size() * sizeof(float));
  device.start(graph_->graph(), abort);
  state_ = State::started;
  forward_.set_under_way(this);
}

void WholePass::finish() {
  forward_.set_under_way(nullptr);
  state_ = State::done;
  const size_t n_rows = outputs_.rows().empty() ? trie_.ids.size() : outputs_.rows().size();
  rows_.resize(n_rows * static_cast<size_t>(forward_.network().n_embd));
  forward_.device().download(graph_->output(), rows_.data(), rows_.size() * sizeof(float));
  keep_graph();
  ForwardTimes times;
  times.n_packs = 1;
  times.n_tokens = trie_.n_tokens;
  times.n_tokens_run = trie_.n_rows();
  // Stages of a graph on a device cannot be told apart from here.
  times.products_ms = watch_.lap_ms();
  forward_.add(times);
  trace_pass(times);
}

// For the next pack of this shape. One that failed is not used again.
void WholePass::keep_graph() noexcept {
  if (!pads() || !graph_->is_allocated()) return;
  try {
    forward_.keep(plan_.shape.key(), std::move(graph_));
  } catch (const std::bad_alloc&) {
    // Then the next one is built.
  }
}

void WholePass::settle() noexcept {
  try {
    finish();
  } catch (...) {
    failure_ = std::current_exception();
  }
}

RowView WholePass::row(size_t i_sequence) {
  return outputs_.read(trie_, i_sequence, rows_.data(), forward_.head());
}

}  // namespace qwen3_embed
