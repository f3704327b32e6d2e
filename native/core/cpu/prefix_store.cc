#include "core/cpu/prefix_store.h"

#include <algorithm>

namespace qwen3_embed {
namespace {

// Fewer tokens in common than this ("What is the ...") are luck.
constexpr size_t kLeastTokens = 8;
// Beginnings that are remembered, and how much of each.
constexpr size_t kSeen = 64, kSeenTokens = 512;
// Of a pack of thousands, enough to meet again.
constexpr size_t kSeenPerPack = 8;

}  // namespace

KeptPrefix::KeptPrefix(std::vector<Token> ids, size_t n_layers, int64_t n_kv)
    : ids(std::move(ids)),
      stride(this->ids.size() * static_cast<size_t>(n_kv)),
      data(n_layers * 2 * stride * sizeof(float)) {}

PrefixStore::PrefixStore(size_t n_layers, int64_t n_kv, size_t max_bytes)
    : n_layers_(n_layers), n_kv_(n_kv), max_bytes_(max_bytes) {}

size_t PrefixStore::bytes_of(size_t n_tokens) const {
  return n_layers_ * 2 * n_tokens * static_cast<size_t>(n_kv_) * sizeof(float);
}

size_t PrefixStore::n_bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return n_bytes_;
}

PrefixStore::Found PrefixStore::find(const Sequence& sequence) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto best = kept_.end();
  size_t n_best = 0;
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    // The last token is always run: it is what is read.
    const size_t n = std::min(n_shared((*it)->ids, sequence.ids), sequence.ids.size() - 1);
    if (n > n_best) best = it, n_best = n;
  }
  if (n_best < kLeastTokens) return {};
  kept_.splice(kept_.begin(), kept_, best);
  return {*best, static_cast<int32_t>(n_best)};
}

PrefixStore::Worth PrefixStore::worth_keeping(const std::vector<const Sequence*>& sequences,
                                              const std::vector<int32_t>& n_kept,
                                              const Sequence* next) {
  if (max_bytes_ == 0) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  Worth worth;
  // Half the room, so that one long prefix does not drive out all others.
  const size_t most = max_bytes_ / 2 / std::max<size_t>(bytes_of(1), 1);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<Token>& ids = sequences[i]->ids;
    size_t n = next ? n_shared(ids, next->ids) : 0;
    for (const std::vector<Token>& seen : seen_) n = std::max(n, n_shared(ids, seen));
    n = std::min({n, ids.size() - 1, most});
    if (n >= kLeastTokens + static_cast<size_t>(n_kept[i]) &&
        n > static_cast<size_t>(worth.n_tokens)) {
      worth = {i, static_cast<int32_t>(n)};
    }
  }
  const size_t step = std::max<size_t>(1, sequences.size() / kSeenPerPack);
  for (size_t i = 0; i < sequences.size(); i += step) {
    const std::vector<Token>& ids = sequences[i]->ids;
    seen_.emplace_front(
        ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), kSeenTokens)));
    if (seen_.size() > kSeen) seen_.pop_back();
  }
  return worth;
}

std::shared_ptr<KeptPrefix> PrefixStore::prepare(const Sequence& sequence, int32_t n_tokens) const {
  return std::make_shared<KeptPrefix>(
      std::vector<Token>(sequence.ids.begin(), sequence.ids.begin() + n_tokens), n_layers_, n_kv_);
}

void PrefixStore::keep(const std::shared_ptr<const KeptPrefix>& prefix) {
  const std::lock_guard<std::mutex> lock(mutex_);
  kept_.push_front(prefix);
  n_bytes_ += bytes_of(prefix->ids.size());
  // One that begins another says nothing that the longer one does not.
  kept_.remove_if([&](const std::shared_ptr<const KeptPrefix>& other) {
    const bool inside = other != prefix && n_shared(other->ids, prefix->ids) == other->ids.size();
    if (inside) n_bytes_ -= bytes_of(other->ids.size());
    return inside;
  });
  while (n_bytes_ > max_bytes_) {
    n_bytes_ -= bytes_of(kept_.back()->ids.size());
    kept_.pop_back();
  }
}

}  // namespace qwen3_embed
