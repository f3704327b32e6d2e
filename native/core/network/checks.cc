#include "core/network/checks.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace qwen3_embed {

void check_pack(const Pack& pack, const Forward::Limits& limits, int64_t n_ids,
                const RankHead& head) {
  auto expect = [](bool holds, const std::string& what) {
    if (!holds) {
      throw Failure{Code::compute,
                    "A pass got " + what + ".",
                    {},
                    "This is a defect of the package: please report it."};
    }
  };
  expect(!pack.sequences.empty(), "no sequences");
  expect(pack.pooling != Pooling::rank || !head.empty(),
         "a rerank pack on a model loaded for embedding");
  for (const Sequence* sequence : pack.sequences) {
    expect(!sequence->ids.empty(), "an empty sequence");
    expect(sequence->ids.size() <= static_cast<size_t>(limits.max_tokens),
           "a sequence beyond its limit");
    for (const Token id : sequence->ids)
      expect(id >= 0 && id < n_ids, "a token that the model does not have");
  }
}

int64_t n_tokens(const Pack& pack) {
  int64_t n = 0;
  for (const Sequence* sequence : pack.sequences) n += static_cast<int64_t>(sequence->ids.size());
  return n;
}

Failure out_of_memory(int64_t n_tokens) {
  return {Code::out_of_memory,
          "There is not enough memory for a pass of " + std::to_string(n_tokens) + " tokens.",
          {{"tokens", n_tokens}},
          "Lower budget or maxTokens."};
}

void trace_pass(const ForwardTimes& times) {
  static const char* asked = std::getenv("QWEN3_EMBED_TRACE");
  static const bool traces = asked != nullptr && std::strcmp(asked, "1") == 0;
  if (!traces) return;
  std::fprintf(stderr,
               "qwen3-embed pass: %lld tokens, %lld run, %lld kept from earlier; products %.1f ms, "
               "attention %.1f ms, rest %.1f ms\n",
               static_cast<long long>(times.n_tokens), static_cast<long long>(times.n_tokens_run),
               static_cast<long long>(times.n_tokens_kept), times.products_ms, times.attention_ms,
               times.rest_ms);
}

}  // namespace qwen3_embed
