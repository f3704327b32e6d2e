#include "core/road/pack.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>

#include "core/network/trie.h"

namespace qwen3_embed {
namespace {

// Fewer common tokens than this ("What is the ...") are luck, and no reason to jump the queue.
constexpr size_t kWorthMeeting = 8;

class Chooser {
 public:
  Chooser(const std::vector<const Sequence*>& pending, int budget, int max_sequences)
      : pending_(pending),
        budget_(static_cast<size_t>(std::max(budget, 1))),
        max_sequences_(static_cast<size_t>(std::max(max_sequences, 1))) {}

  std::vector<size_t> without_sharing() {
    for (size_t i = 0; i < pending_.size() && !full(); ++i) {
      if (chosen_.empty() || used_ + length(i) <= budget_) add(i, length(i));
    }
    return std::move(chosen_);
  }

  std::vector<size_t> with_sharing() {
    sort();
    for (size_t i = 0; i < pending_.size() && !full(); ++i) {
      if (!try_add(rank_[i])) continue;
      grow(rank_[i]);
    }
    return std::move(chosen_);
  }

 private:
  size_t length(size_t i) const { return pending_[i]->ids.size(); }
  bool full() const { return chosen_.size() == max_sequences_; }

  void add(size_t i, size_t cost) {
    if (chosen_.empty()) head_length_ = cost;
    chosen_.push_back(i);
    used_ += cost;
  }

  void sort() {
    const size_t n = pending_.size();
    order_.resize(n);
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
      return compare_ids(*pending_[a], *pending_[b]) < 0;
    });
    rank_.resize(n);
    shared_.assign(n + 1, 0);
    for (size_t rank = 0; rank < n; ++rank) {
      rank_[order_[rank]] = rank;
      if (rank > 0) shared_[rank] = n_shared(*pending_[order_[rank - 1]], *pending_[order_[rank]]);
    }
  }

  // In sorted order a sequence shares most with one of its chosen neighbours.
  size_t shared_with_pack(size_t rank) const {
    const Sequence& sequence = *pending_[order_[rank]];
    const auto above = ranks_.lower_bound(rank);
    size_t shared = 0;
    if (above != ranks_.end()) shared = n_shared(sequence, *pending_[order_[*above]]);
    if (above != ranks_.begin()) {
      shared = std::max(shared, n_shared(sequence, *pending_[order_[*std::prev(above)]]));
    }
    return shared;
  }

  bool try_add(size_t rank) {
    if (full() || ranks_.count(rank) != 0) return false;
    const size_t i = order_[rank];
    // Before any token is compared: what the sequence shares with any other at all bounds what it
    // can save.
    const size_t saves_at_most = std::max(shared_[rank], shared_[rank + 1]);
    const size_t room = std::max(budget_, head_length_ + overfill());
    if (!chosen_.empty() && used_ + length(i) > room + saves_at_most) return false;
    const size_t shared = chosen_.empty() ? 0 : shared_with_pack(rank);
    const size_t cost = length(i) - shared;
    const bool fits = chosen_.empty() || used_ + cost <= budget_ ||
                      (cost < shared && used_ + cost <= head_length_ + overfill()) || cost == 0;
    if (!fits) return false;
    add(i, cost);
    ranks_.insert(rank);
    return true;
  }

  size_t overfill() const { return head_length_ > budget_ / 2 ? budget_ : 0; }

  // From `rank` outwards, the neighbour that shares more first, the older one if they share alike.
  void grow(size_t rank) {
    size_t low = rank, high = rank;
    size_t low_shared = SIZE_MAX, high_shared = SIZE_MAX;
    while (!full()) {
      const size_t below = std::min(low_shared, shared_[low]);
      const size_t above = std::min(high_shared, shared_[high + 1]);
      if (std::max(below, above) < kWorthMeeting) return;
      const bool down = below != above ? below > above : order_[low - 1] < order_[high + 1];
      if (down) {
        low_shared = below;
        try_add(--low);
      } else {
        high_shared = above;
        try_add(++high);
      }
    }
  }

  const std::vector<const Sequence*>& pending_;
  const size_t budget_, max_sequences_;
  std::vector<size_t> chosen_;
  size_t used_ = 0, head_length_ = 0;

  std::vector<size_t> order_;  // rank -> index, by ids
  std::vector<size_t> rank_;   // index -> rank
  std::vector<size_t>
      shared_;  // (n + 1): tokens shared by the sequences ranked r - 1 and r; 0 at both ends
  std::set<size_t> ranks_;  // chosen
};

}  // namespace

std::vector<size_t> choose_pack(const std::vector<const Sequence*>& pending, int budget,
                                int max_sequences, bool shares_prefixes) {
  if (pending.empty()) return {};
  Chooser chooser(pending, budget, max_sequences);
  return shares_prefixes ? chooser.with_sharing() : chooser.without_sharing();
}

}  // namespace qwen3_embed
