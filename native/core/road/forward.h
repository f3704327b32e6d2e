// The seam between the pipeline and whoever computes: a pack becomes a pass, a pass is stepped to
// its end, rows are read off it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/road/sequence.h"

namespace qwen3_embed {

// Polled often while something long runs, from any thread; true stops it.
using Abort = std::function<bool()>;

// Wall time of the passes so far, of each by itself where several are under way; for traces and the
// bench.
struct ForwardTimes {
  int64_t n_packs = 0;
  int64_t n_dealt = 0;   // of these, to crews beside the one of all threads
  int64_t n_tokens = 0;  // of the sequences
  // Those that went through the layers: fewer, where prefixes are shared within a pack or kept from
  // an earlier one.
  int64_t n_tokens_run = 0;
  int64_t n_tokens_kept = 0;  // those whose keys and values were kept from earlier passes
  int64_t kept_bytes = 0;     // that the kept prefixes take now
  double products_ms = 0, attention_ms = 0, rest_ms = 0;
};

// none -> (n_tokens, n_embd); mean, cls, last -> (n_embd); rank -> (1), the logit.
struct RowView {
  const float* values;
  size_t n_values;
};

// A pack on its way through the network. Several may be alive, and be stepped in any order.
class Pass {
 public:
  virtual ~Pass() = default;

  // One step: on the CPU a tile of one layer, elsewhere up to the whole pass. False when none is
  // left. Throws Failure (aborted, out_of_memory, compute, model_changed); a pass that threw is
  // only good for being destroyed.
  virtual bool step(const Abort& abort) = 0;

  // Whether another step would only wait for a device: there is time for other work meanwhile, but
  // no other pass of the same forward is to be stepped.
  virtual bool is_under_way() const { return false; }

  // After the last step, for each sequence of the pack. Valid until the next call.
  virtual RowView row(size_t i_sequence) = 0;
};

class Crew;

class Forward {
 public:
  struct Limits {
    int n_embd;         // width of a row
    int max_tokens;     // longest sequence of a pack
    int budget;         // tokens one pack should hold; a single longer sequence may stand alone
    int max_sequences;  // sequences one pack may hold
    bool tells_queries = false;  // whether queries go through other weights: packs are of one kind
    bool shares_prefixes;        // whether equal prefixes within a pack are computed once
    std::string device;          // "CPU", "CUDA0", ...
    std::string kernels;         // who multiplies: "ggml", or the name of one of ours
    std::string weights = "file";  // what a device multiplies with: "file", "bf16", "f16"
  };

  virtual ~Forward() = default;
  virtual const Limits& limits() const = 0;

  // Throws Failure out_of_memory, compute. Outlives its passes; called from one thread, which
  // destroys them too. `pack` is not needed any more once this returns.
  virtual std::unique_ptr<Pass> begin(const Pack& pack) = 0;

  virtual ForwardTimes times() const { return {}; }

  // Crews beside the one of all threads, which is number 0: their passes, one on each of them, may
  // be stepped side by side, from any threads, while those of crew 0 are not.
  virtual int n_crews() const { return 0; }

  // Threads of crew 0, which are idle between two steps, for other work; null: there are none.
  virtual Crew* crew() { return nullptr; }
};

}  // namespace qwen3_embed
