// THE STORY. A loaded model and what happens to a text on it:
//
//   text ─ tokens ─► sequence ─ pack ─► pack ─ forward ─► row ─ vectors ─► vector | score
//
// Embedding and reranking are this one road with another first and last step. Start reading at
// Engine::turn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/file/facts.h"
#include "core/road/forward.h"
#include "core/road/job.h"
#include "core/road/shares.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed {

enum class Kind { embed, rank };

struct LoadOptions {
  std::string path;
  Kind kind = Kind::embed;
  std::string engine = "auto";   // "auto", "packed", "generic"
  std::string kernels = "auto";  // "auto", "ggml", or the name of one of ours
  int n_threads = 0;             // 0: physical cores
  int max_tokens = 0;            // 0: what the file was trained for
  int budget = 0;                // tokens a pass holds; 0: the engine's choice
  std::string gpu;               // "", "cuda", "vulkan", "metal"
  std::string gpu_library;  // path of that backend's shared library; empty where it is built in
};

class Engine {
 public:
  // Reads, checks and loads the file; throws Failure. `on_progress` gets 0..1.
  static std::unique_ptr<Engine> load(const LoadOptions& options, const Abort& abort,
                                      const std::function<void(double)>& on_progress);

  const Facts& facts() const { return facts_; }
  const Forward::Limits& limits() const { return forward_->limits(); }
  ForwardTimes times() const { return forward_->times(); }
  const std::string& engine_name() const { return engine_name_; }

  // One turn: tokenises a little, runs one pack for the jobs whose turn it is, delivers its rows.
  // Marks jobs as settled; the lane tells their owners.
  //
  // While bulk texts run, `pause` is called now and then where interactive ones may go between:
  // by a turn for jobs that are interactive, all of them.
  void turn(const std::vector<std::shared_ptr<Job>>& jobs, const Abort& stop,
            const Pause& pause = {});

 private:
  struct Candidate {
    Job* job;
    size_t i_window;
  };
  Engine() = default;

  struct Turn {
    std::vector<Job*> jobs;
    bool is_bulk;
    bool others_wait;
  };
  Turn whose_turn(const std::vector<std::shared_ptr<Job>>& jobs) const;
  std::vector<Candidate> gather(const std::vector<Job*>& jobs);
  void tokenise(Job& job, size_t n_enough);
  std::vector<Candidate> choose(const std::vector<Candidate>& candidates) const;
  void run_bulk(const std::vector<Candidate>& chosen, const Abort& stop, const Pause& pause);
  void run(const std::vector<Candidate>& chosen, const Abort& stop, const Pause& pause);
  void run_pack(const std::vector<Candidate>& chosen, const Abort& stop, const Pause& pause);
  void deliver(Job& job, size_t index, const float* row, size_t n_values) const;
  static void retire(const std::vector<Candidate>& chosen);

  Facts facts_;
  std::string engine_name_;
  std::unique_ptr<Vocabulary> vocabulary_;
  std::unique_ptr<Forward> forward_;
  uint64_t n_turns_ = 0;
  Shares shares_;
  bool bulk_stands_aside_ = false;
};

}  // namespace qwen3_embed
