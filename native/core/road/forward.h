// The seam between the pipeline and whoever computes: a pack goes in, rows come out.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/road/sequence.h"

namespace qwen3_embed {

// Called once for each sequence of a pack, from the thread that called run(). The values are valid
// during the call: none -> (n_tokens, n_embd); mean, cls, last -> (n_embd); rank -> (1), the logit.
using RowSink = std::function<void(size_t i_sequence, const float* values, size_t n_values)>;

// Polled often while a pass runs, from any thread; true stops it.
using Abort = std::function<bool()>;

// Called between two steps of a pass, on the thread that called run(). It may run another pack on
// the same Forward, but that one gets no pause of its own.
using Pause = std::function<void()>;

// Wall time of the passes so far, for traces and the bench.
struct ForwardTimes {
  int64_t n_packs = 0;
  int64_t n_tokens = 0;  // tokens of the sequences
  int64_t n_tokens_run =
      0;  // tokens that went through the layers: less than n_tokens where prefixes are shared
  double products_ms = 0;
  double attention_ms = 0;
  double rest_ms = 0;
};

class Forward {
 public:
  struct Limits {
    int n_embd;            // width of a row
    int max_tokens;        // longest sequence run() takes
    int budget;            // tokens one pack should hold; a single longer sequence may stand alone
    int max_sequences;     // sequences one pack may hold
    bool shares_prefixes;  // whether equal prefixes within a pack are computed once
    std::string device;    // "CPU", "CUDA0", ...
    std::string kernels;   // who multiplies: "ggml", or the name of one of ours
  };

  virtual ~Forward() = default;
  virtual const Limits& limits() const = 0;

  // Runs one pack to the end, or throws Failure (aborted, out_of_memory, compute) before the first
  // call of `sink`. After a throw the next run() starts clean. Called from one thread at a time.
  // Those that cannot stand aside never call `pause`.
  virtual void run(const Pack& pack, const Abort& abort, const RowSink& sink,
                   const Pause& pause = {}) = 0;

  virtual ForwardTimes times() const { return {}; }
};

}  // namespace qwen3_embed
