#include "core/road/engine.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <utility>

#include "core/machine/backends.h"
#include "core/road/pack.h"
#include "core/road/vectors.h"
#include "core/text/prompt.h"

namespace qwen3_embed {
namespace {

// Sequences a pack is chosen from: enough for equal prefixes to meet, few enough that an
// interactive text which arrives meanwhile does not wait for a whole corpus to be tokenised.
constexpr size_t kLookaheadPacks = 8;
constexpr size_t kLookaheadTexts = 4096;

class Stopwatch {
 public:
  double lap_ms() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(start_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

void Engine::turn(const std::vector<std::shared_ptr<Job>>& jobs, const Abort& stop,
                  const Pause& pause) {
  const Turn turn = whose_turn(jobs);
  const std::vector<Candidate> candidates = gather(turn.jobs);
  if (candidates.empty()) return;
  const std::vector<Candidate> chosen = choose(candidates);
  if (turn.is_bulk) {
    run_bulk(chosen, stop, pause);
  } else {
    Stopwatch watch;
    run(chosen, stop, {});
    if (turn.others_wait) shares_.interactive_ran(watch.lap_ms());
  }
  retire(chosen);
}

Engine::Turn Engine::whose_turn(const std::vector<std::shared_ptr<Job>>& jobs) const {
  std::vector<Job*> interactive, bulk;
  for (const std::shared_ptr<Job>& job : jobs) {
    if (job->aborted() && !job->settled())
      job->failure = Failure{Code::aborted, "The call was aborted.", {}};
    if (job->settled()) continue;
    (job->options.interactive ? interactive : bulk).push_back(job.get());
  }
  const bool is_bulk = interactive.empty() || (!bulk.empty() && shares_.bulk_is_due());
  const bool others_wait = bulk_stands_aside_ || !(is_bulk ? interactive : bulk).empty();
  std::vector<Job*>& taken = is_bulk ? bulk : interactive;
  std::stable_sort(taken.begin(), taken.end(),
                   [](const Job* a, const Job* b) { return a->last_served < b->last_served; });
  return {taken, is_bulk, others_wait};
}

void Engine::run_bulk(const std::vector<Candidate>& chosen, const Abort& stop, const Pause& pause) {
  Stopwatch watch;
  run(chosen, stop, [&] {
    shares_.bulk_ran(watch.lap_ms());
    if (!pause || shares_.bulk_is_due()) return;
    struct Aside {
      bool& flag;
      ~Aside() { flag = false; }
    } aside{bulk_stands_aside_ = true};
    pause();
    watch.lap_ms();
  });
  shares_.bulk_ran(watch.lap_ms());
}

std::vector<Engine::Candidate> Engine::gather(const std::vector<Job*>& jobs) {
  const size_t n_enough = static_cast<size_t>(limits().budget) * kLookaheadPacks;
  std::vector<Candidate> candidates;
  size_t n_tokens = 0;
  Pooling pooling = Pooling::last;
  for (Job* job : jobs) {
    if (n_tokens >= n_enough || candidates.size() >= kLookaheadTexts) break;
    if (!candidates.empty() && job->options.pooling != pooling) continue;
    tokenise(*job, n_enough);
    pooling = job->options.pooling;
    for (size_t i = 0; i < job->window.size() && !job->settled(); ++i)
      candidates.push_back({job, i});
    n_tokens += job->n_waiting_tokens;
  }
  return candidates;
}

void Engine::tokenise(Job& job, size_t n_enough) {
  if (!job.frame) {
    job.frame = job.options.task == JobOptions::Task::rank
                    ? vocabulary_->pair_frame(job.options.prefix, job.options.suffix)
                    : vocabulary_->embedding_frame();
  }
  const bool only_tokens = job.options.only_tokens;
  const int limit = only_tokens ? std::numeric_limits<int>::max() : limits().max_tokens;
  size_t n_ids = 0;
  while (job.n_tokenised < job.n_texts() && !job.settled() && !job.aborted() &&
         job.n_waiting_tokens + n_ids < n_enough && job.window.size() < kLookaheadTexts) {
    const size_t index = job.n_tokenised++;
    const auto given = job.given_ids.find(index);
    try {
      if (job.options.only_text) {
        job.texts[index] = vocabulary_->text(given->second);
        ++job.n_done;
        continue;
      }
      PromptInProgress in_progress =
          given == job.given_ids.end()
              ? PromptInProgress(*vocabulary_, *job.frame, job.heads[index],
                                 std::move(job.bodies[index]), limit, job.options.truncate)
              : PromptInProgress(*vocabulary_, *job.frame, job.heads[index],
                                 std::move(given->second), limit, job.options.truncate);
      while (!in_progress.step()) {
      }
      Prompt prompt = in_progress.take();
      job.n_tokens[index] = prompt.n_tokens;
      job.n_cut[index] = prompt.n_cut;
      if (only_tokens) {
        n_ids += prompt.sequence.ids.size();
        job.ids[index] = std::move(prompt.sequence.ids);
        ++job.n_done;
      } else {
        job.n_waiting_tokens += prompt.sequence.ids.size();
        job.window.push_back({index, std::move(prompt.sequence)});
      }
    } catch (Failure& failure) {
      job.fail_item(index, std::move(failure));
    }
    std::string().swap(job.bodies[index]);
    job.heads[index].reset();
    job.given_ids.erase(index);
  }
}

std::vector<Engine::Candidate> Engine::choose(const std::vector<Candidate>& candidates) const {
  std::vector<const Sequence*> pending;
  pending.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    pending.push_back(&candidate.job->window[candidate.i_window].sequence);
  }
  std::vector<Candidate> chosen;
  for (const size_t i :
       choose_pack(pending, limits().budget, limits().max_sequences, limits().shares_prefixes)) {
    chosen.push_back(candidates[i]);
  }
  return chosen;
}

// A pass that fails for want of memory, or for one bad sequence, is tried again text by text, so
// that a job loses only what cannot be computed.
void Engine::run(const std::vector<Candidate>& chosen, const Abort& stop, const Pause& pause) {
  ++n_turns_;
  for (const Candidate& candidate : chosen) candidate.job->last_served = n_turns_;
  try {
    run_pack(chosen, stop, pause);
  } catch (Failure& failure) {
    if (failure.code == Code::aborted) {
      for (const Candidate& candidate : chosen) {
        if (!candidate.job->settled()) candidate.job->failure = failure;
      }
    } else if (chosen.size() == 1) {
      chosen[0].job->fail_item(chosen[0].job->window[chosen[0].i_window].index, std::move(failure));
    } else {
      for (const Candidate& candidate : chosen) {
        if (!candidate.job->settled() && !candidate.job->aborted()) run({candidate}, stop, pause);
      }
    }
  }
}

void Engine::run_pack(const std::vector<Candidate>& chosen, const Abort& stop, const Pause& pause) {
  Pack pack{{}, chosen.front().job->options.pooling};
  std::set<Job*> owners;
  for (const Candidate& candidate : chosen) {
    pack.sequences.push_back(&candidate.job->window[candidate.i_window].sequence);
    owners.insert(candidate.job);
  }
  const Abort abort = [&] {
    return stop() ||
           std::all_of(owners.begin(), owners.end(), [](const Job* job) { return job->aborted(); });
  };
  const RowSink sink = [&](size_t i, const float* row, size_t n_values) {
    Job& job = *chosen[i].job;
    if (job.failure) return;
    const size_t index = job.window[chosen[i].i_window].index;
    try {
      deliver(job, index, row, n_values);
      ++job.n_done;
    } catch (Failure& failure) {
      job.fail_item(index, std::move(failure));
    }
  };
  forward_->run(pack, abort, sink, pause);
  for (Job* job : owners) {
    if (job->on_progress && !job->failure) job->on_progress(job->n_done);
  }
}

void Engine::deliver(Job& job, size_t index, const float* row, size_t n_values) const {
  const JobOptions& options = job.options;
  if (!all_finite(row, n_values)) {
    throw Failure{Code::non_finite,
                  "the model gave a value that is not finite. On a GPU, load with "
                  "gpu: false; else the "
                  "file is damaged: download it again.",
                  {}};
  }
  if (options.task == JobOptions::Task::rank) {
    const auto logit = static_cast<double>(row[0]);
    job.scores[index] = options.probability ? logit_to_probability(logit) : logit;
    return;
  }
  const auto n_embd = static_cast<size_t>(limits().n_embd);
  const auto n_dims = static_cast<size_t>(options.n_dims);
  const size_t n_rows = options.pooling == Pooling::none ? n_values / n_embd : 1;
  if (options.pooling == Pooling::none) job.token_rows[index].resize(n_rows * n_dims);
  float* out = options.pooling == Pooling::none ? job.token_rows[index].data()
                                                : job.vectors + index * n_dims;
  for (size_t i = 0; i < n_rows; ++i) {
    if (!row_to_vector(row + i * n_embd, n_dims, options.normalize, out + i * n_dims)) {
      throw Failure{Code::non_finite,
                    "the model gave a zero row, which has no direction. The file is damaged: "
                    "download it again.",
                    {}};
    }
  }
}

void Engine::retire(const std::vector<Candidate>& chosen) {
  std::set<Job*> owners;
  for (const Candidate& candidate : chosen) {
    Job::Waiting& waiting = candidate.job->window[candidate.i_window];
    candidate.job->n_waiting_tokens -= waiting.sequence.ids.size();
    waiting.sequence.ids.clear();
    owners.insert(candidate.job);
  }
  for (Job* job : owners) {
    auto ran = [](const Job::Waiting& waiting) { return waiting.sequence.ids.empty(); };
    job->window.erase(std::remove_if(job->window.begin(), job->window.end(), ran),
                      job->window.end());
  }
}

void Job::fail_item(size_t index, Failure item_failure) {
  for (const Fact& fact : item_failure.facts) {
    if (fact.first == "tokens")
      n_tokens[index] = static_cast<int32_t>(std::get<int64_t>(fact.second));
  }
  item_failure.facts.emplace_back("index", static_cast<int64_t>(index));
  item_failure.message = "Text " + std::to_string(index) + ": " + item_failure.message;
  ++n_done;
  if (options.fail_fast) {
    if (!failure) failure = std::move(item_failure);
    return;
  }
  failures.push_back({index, std::move(item_failure)});
}

}  // namespace qwen3_embed
