// One call in flight: its texts, where its results go, and how far it has come.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/failure.h"
#include "core/road/sequence.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed {

struct JobOptions {
  enum class Task { embed, rank };
  Task task = Task::embed;
  bool only_text = false;    // the bodies are ids and their text is the result
  bool only_tokens = false;  // the ids are the result: nothing is run, no limit applies
  Pooling pooling = Pooling::last;
  bool interactive = false;  // goes before jobs that are not
  bool truncate = false;
  bool fail_fast = true;  // the first failing text ends the job; else it is one of failures()
  bool normalize = true;
  bool probability = true;  // of a score: sigmoid of the logit, or the logit
  int n_dims = 0;
  std::string prefix, suffix;  // rerank template around each pair
};

struct ItemFailure {
  size_t index;
  Failure failure;
};

class Job {
 public:
  explicit Job(JobOptions options) : options(std::move(options)) {}

  // ---- the caller, before submitting ----
  void add(const std::shared_ptr<const std::string>& head, std::string body) {
    heads.push_back(head);
    bodies.push_back(std::move(body));
  }
  // A body that is tokens already.
  void add_ids(const std::shared_ptr<const std::string>& head, std::vector<Token> ids) {
    given_ids.emplace(bodies.size(), std::move(ids));
    add(head, {});
  }
  size_t n_texts() const { return bodies.size(); }
  // Places in the queue: for texts that a pass is to run.
  size_t n_places() const { return options.only_text || options.only_tokens ? 0 : bodies.size(); }

  const JobOptions options;
  std::vector<std::shared_ptr<const std::string>>
      heads;                        // (n_texts): instruction, or query of a pair
  std::vector<std::string> bodies;  // (n_texts): emptied as they are tokenised
  std::unordered_map<size_t, std::vector<Token>>
      given_ids;                                   // by index: bodies that need no tokenising
  float* vectors = nullptr;                        // (n_texts, n_dims), unless pooling is none
  double* scores = nullptr;                        // (n_texts)
  int32_t* n_tokens = nullptr;                     // (n_texts): tokens before any cut
  int32_t* n_cut = nullptr;                        // (n_texts)
  std::function<void(size_t n_done)> on_progress;  // lane thread
  std::function<void(Job&)> on_settled;            // lane thread, once, last

  // ---- any thread ----
  void abort() { aborted_.store(true, std::memory_order_relaxed); }
  bool aborted() const { return aborted_.load(std::memory_order_relaxed); }

  // ---- results, after settling ----
  std::optional<Failure> failure;              // of the whole job
  std::vector<ItemFailure> failures;           // of single texts
  std::vector<std::vector<float>> token_rows;  // pooling none: (n_texts)(n_tokens, n_dims)
  std::vector<std::string> texts;              // only_text: (n_texts)
  std::vector<std::vector<Token>> ids;         // only_tokens: (n_texts)(n_tokens)

  // ---- the lane ----
  struct Waiting {
    size_t index;
    Sequence sequence;
  };
  std::deque<Waiting> window;  // tokenised, not yet run
  size_t n_waiting_tokens = 0;
  size_t n_tokenised = 0;
  size_t n_done = 0;
  uint64_t last_served = 0;
  std::optional<Frame> frame;

  bool settled() const { return failure.has_value() || n_done == bodies.size(); }
  void fail_item(size_t index, Failure item_failure);

 private:
  std::atomic<bool> aborted_{false};
};

}  // namespace qwen3_embed
