// THE STORY. A loaded model and what happens to a text on it:
//
//   text ─ prompt ─► sequence ─ pack ─► pass ─ forward ─► row ─ vectors ─► vector | score
//
// Embedding and reranking are this one road with another first and last step. Start reading at
// Turns::step; the road itself is in stream.cc (up to the pack) and flight.cc (from it on).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/adapter/adapter.h"
#include "core/file/facts.h"
#include "core/machine/cpus.h"
#include "core/network/make_forward.h"
#include "core/road/forward.h"
#include "core/road/turns.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed {

enum class Kind { embed, rank };

struct LoadOptions {
  std::string path;
  Kind kind = Kind::embed;
  std::string engine = "auto";   // "auto", "packed", "generic"
  std::string kernels = "auto";  // "auto", "ggml", or the name of one of ours
  int n_threads = 0;             // 0: machine/cpus.h's default
  int n_crews = 0;               // that bulk packs are dealt to; 0: the engine's choice
  int max_tokens = 0;            // 0: what the file was trained for
  int budget = 0;                // tokens a pass holds; 0: the engine's choice
  size_t prefix_bytes = 0;       // kept keys and values of prefixes that come again
  std::vector<AdapterOptions> adapters;
  std::string gpu;  // "", "cuda", "vulkan", "metal"
  DeviceWeights gpu_weights = DeviceWeights::file;
  bool lock_memory = false;  // weights are never swapped out
  std::string gpu_library;   // path of that backend's shared library; empty where it is built in
};

class Engine {
 public:
  // Reads, checks and loads the file; throws Failure. `on_progress` gets 0..1.
  // `on_change` is called from other threads while step() has said that it waits.
  static std::unique_ptr<Engine> load(const LoadOptions& options, const Abort& abort,
                                      const std::function<void(double)>& on_progress,
                                      const std::function<void()>& on_change);

  const Facts& facts() const { return facts_; }
  const Forward::Limits& limits() const { return forward_->limits(); }
  ForwardTimes times() const { return forward_->times(); }
  const std::string& engine_name() const { return engine_name_; }
  const Threads& threads() const { return threads_; }

  // One short step for the jobs whose turn it is: on the CPU some milliseconds, elsewhere up to a
  // pass. Nothing, if there are none; or if all there is to do is under way on other threads, and
  // nothing comes of another call before on_change or a change of the jobs. Jobs end up settled;
  // the lane tells their owners.
  using Step = Turns::Step;
  Step step(const Jobs& jobs, const Abort& stop);

 private:
  Engine() = default;

  Facts facts_;
  std::string engine_name_;
  Threads threads_{1, ""};
  std::unique_ptr<Vocabulary> vocabulary_;
  std::unique_ptr<Forward> forward_;
  std::unique_ptr<Turns> turns_;
};

}  // namespace qwen3_embed
