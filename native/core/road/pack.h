// Which of the waiting sequences run together next. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "core/road/sequence.h"

namespace qwen3_embed {

// Takes a window of waiting sequences, the most urgent first, and gives the indices of those that
// make the next pack, pending[0] always among them: whatever comes after it, the head of the queue
// runs next, so nothing starves.
//
// `budget` counts the tokens that go through the layers: where prefixes are shared, a sequence
// costs what it adds to the trie of the pack, and sequences that share a prefix with the pack are
// preferred to older ones that do not. A head longer than half the budget may be joined by
// sequences that add less than they share with it until they have added another budget: else a long
// common prefix would be computed over and over. Nothing else exceeds the budget, but for a head
// that does so alone.
//
// Costs the time to sort the window; meant for windows of thousands.
std::vector<size_t> choose_pack(const std::vector<const Sequence*>& pending, int budget,
                                int max_sequences, bool shares_prefixes);

}  // namespace qwen3_embed
