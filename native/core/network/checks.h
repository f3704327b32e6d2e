// What every pass has in common, whoever computes it: the checks of a pack, the words for what went
// wrong, the trace.
#pragma once

#include "core/failure.h"
#include "core/file/facts.h"
#include "core/network/outputs.h"
#include "core/road/forward.h"

namespace qwen3_embed {

// Throws Failure compute where a pack asks for what no pass can give: our own callers never do.
void check_pack(const Pack& pack, const Forward::Limits& limits, int64_t n_ids,
                const RankHead& head);

int64_t n_tokens(const Pack& pack);

// For the std::bad_alloc of a pass.
Failure out_of_memory(int64_t n_tokens);

// With QWEN3_EMBED_TRACE=1 in the environment, one line on stderr: what a pass held and where the
// time went.
void trace_pass(const ForwardTimes& times);

}  // namespace qwen3_embed
