// One call in flight: its texts, where its results go, and how far each has come.
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
#include "core/text/prompt.h"

namespace qwen3_embed {

struct JobOptions {
  enum class Task { embed, rank };
  Task task = Task::embed;
  bool only_text = false;    // the bodies are ids and their text is the result
  bool only_tokens = false;  // the ids are the result: nothing is run, no limit applies
  Pooling pooling = Pooling::last;
  bool interactive = false;  // goes before jobs that are not
  bool truncate = false;
  bool fail_fast = true;  // the first failing text ends the job; else it is one of failures
  bool normalize = true;
  bool are_queries = false;  // what adapters for queries alone change
  bool probability = true;   // of a score: sigmoid of the logit, or the logit
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
  void add(const std::shared_ptr<const std::string>& head, std::string body);
  // A body that is tokens already.
  void add_ids(const std::shared_ptr<const std::string>& head, std::vector<Token> ids);
  size_t n_texts() const { return inputs.size(); }
  // Places in the queue: for texts that a pass is to run.
  size_t n_places() const { return options.only_text || options.only_tokens ? 0 : n_texts(); }

  const JobOptions options;
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

  // A text goes from waiting to done or failed, once. What happens to it between is the lane's
  // matter; whatever a pass does, its text is open until one of the two is said here.
  void finish(size_t index);
  // Throws nothing: where there is no memory for the sentence, the job ends with a short one.
  void fail(size_t index, Failure failure) noexcept;
  bool is_open(size_t index) const { return states_[index] == State::waiting; }
  size_t n_done() const { return n_texts() - n_open_; }
  bool settled() const { return failure.has_value() || n_open_ == 0; }

  // Tokenised, not yet in a pass.
  struct Waiting {
    size_t index;
    Sequence sequence;
  };
  std::deque<Waiting> window;
  size_t n_waiting_tokens = 0;
  // The next text to be tokenised, and what has been made of it so far.
  size_t n_tokenised = 0;
  std::optional<PromptInProgress> prompt;  // of text n_tokenised, where it is a long one
  uint64_t last_served = 0;
  std::optional<Frame> frame;

  struct Input {
    std::shared_ptr<const std::string> head;  // instruction, or query of a pair
    std::string body;
  };
  std::vector<Input> inputs;  // (n_texts): taken as they are tokenised
  std::unordered_map<size_t, std::vector<Token>> given_ids;  // bodies that need no tokenising

 private:
  enum class State : uint8_t { waiting, done, failed };
  bool close(size_t index, State state) noexcept;

  std::vector<State> states_;
  size_t n_open_ = 0;
  std::atomic<bool> aborted_{false};
};

}  // namespace qwen3_embed
