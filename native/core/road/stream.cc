#include "core/road/stream.h"

#include <algorithm>
#include <exception>
#include <new>
#include <set>
#include <utility>

#include "core/road/pack.h"
#include "core/road/policy.h"

namespace qwen3_embed {

Stream::Stream(const Vocabulary& vocabulary, Forward& forward, Crew* crew, Captains* captains,
               bool interactive)
    : vocabulary_(vocabulary),
      forward_(forward),
      crew_(crew),
      interactive_(interactive),
      captains_(captains),
      flights_(captains != nullptr ? 1 + static_cast<size_t>(captains->n()) : 1) {}

bool Stream::waits(const Jobs& jobs) const {
  return flights_[0] || captains_have_packs() ||
         std::any_of(jobs.begin(), jobs.end(),
                     [&](const std::shared_ptr<Job>& job) { return is_ours(*job); });
}

bool Stream::captains_have_packs() const {
  return std::any_of(flights_.begin() + 1, flights_.end(),
                     [](const std::optional<Flight>& flight) { return flight.has_value(); });
}

bool Stream::step(const Jobs& jobs, const Abort& stop) {
  if (step_flights(stop)) return true;
  if (!berth(0) || !has_more(jobs)) return false;
  try {
    prepare(jobs, stop, false);
  } catch (...) {
    give_up_one(jobs, caught_failure());
  }
  return true;
}

bool Stream::step_flights(const Abort& stop) {
  bool any = false;
  for (std::optional<Flight>& flight : flights_) {
    if (!flight) continue;
    const Flight::Step step = flight->step(stop);
    any |= step != Flight::Step::nothing;
    if (step == Flight::Step::last) flight.reset();
  }
  if (!flights_[0] && ahead_) {
    flights_[0].emplace(std::move(*ahead_));
    ahead_.reset();
  }
  return any;
}

// Few texts go to all threads at once, many to the crews, pack by pack. The two take turns: they
// are the same processors.
std::optional<size_t> Stream::berth(size_t n_tokens) const {
  if (flights_[0]) return std::nullopt;
  if (flights_.size() == 1) return 0;
  if (!captains_have_packs() && n_tokens < least_of_crew() * (flights_.size() - 1)) return 0;
  for (size_t i = 1; i < flights_.size(); ++i) {
    if (!flights_[i]) return i;
  }
  return std::nullopt;
}

// Who steps the pass of a berth; null: step() does.
Captain* Stream::captain(size_t i_berth) const {
  return i_berth > 0 ? &captains_->of(static_cast<int>(i_berth)) : nullptr;
}

// The last packs of a call are smaller, so that no crew is left waiting for another's for long.
int Stream::budget(size_t i_berth, size_t n_tokens) const {
  const int most = forward_.limits().budget;
  if (i_berth == 0) return most;
  const size_t share = n_tokens / (flights_.size() - 1);
  return std::min(most, static_cast<int>(std::max(least_of_crew(), share)));
}

// Smaller packs would read the weights too often.
size_t Stream::least_of_crew() const {
  return static_cast<size_t>(std::max(1, forward_.limits().budget / 4));
}

// Texts that are not in a pack yet.
bool Stream::has_more(const Jobs& jobs) const {
  return std::any_of(jobs.begin(), jobs.end(), [&](const std::shared_ptr<Job>& job) {
    return is_ours(*job) && (!job->window.empty() || job->n_tokenised < job->n_texts());
  });
}

bool Stream::prepare_ahead(const Jobs& jobs, const Abort& stop) {
  if (flights_[0] && (ahead_ || !flights_[0]->is_under_way())) return false;
  try {
    return prepare(jobs, stop, true);
  } catch (...) {
    give_up_one(jobs, caught_failure());
    return true;
  }
}

// From waiting texts to a pack, as far as one slice goes. `ahead`: a full pack, begun while the
// device computes another. False if nothing was done.
bool Stream::prepare(const Jobs& jobs, const Abort& stop, bool ahead) {
  const size_t n_enough =
      static_cast<size_t>(forward_.limits().budget) * (kLookaheadPacks + flights_.size() - 1);
  std::vector<Candidate> candidates;
  size_t n_tokens = 0;
  bool sliced = false, worked = false;
  for (const std::shared_ptr<Job>& job : in_turn(jobs)) {
    if (n_tokens >= n_enough || candidates.size() >= kLookaheadTexts) break;
    if (!candidates.empty() && !fits(candidates.front().job->options, job->options)) continue;
    if (!tokenise(*job, n_enough, stop, worked)) {
      // A long text takes a slice between the packs of others, and holds nobody up.
      if (!job->prompt || sliced) return true;
      sliced = true;
      continue;
    }
    if (job->settled()) continue;
    for (size_t i = 0; i < job->window.size(); ++i) candidates.push_back({job, i});
    n_tokens += job->n_waiting_tokens;
  }
  if (candidates.empty()) return worked;
  if (!ahead) {
    const std::optional<size_t> i_berth = berth(n_tokens);
    if (!i_berth) return worked;
    depart(candidates, budget(*i_berth, n_tokens), captain(*i_berth), flights_[*i_berth]);
    return true;
  }
  const Forward::Limits& limits = forward_.limits();
  if (n_tokens < static_cast<size_t>(limits.budget) &&
      candidates.size() < static_cast<size_t>(limits.max_sequences)) {
    return worked;
  }
  std::optional<Flight>& to = flights_[0] ? ahead_ : flights_[0];
  depart(candidates, limits.budget, nullptr, to);
  to->begin_ahead();
  return true;
}

// Whether texts of the two may share a pass.
bool Stream::fits(const JobOptions& a, const JobOptions& b) const {
  return a.pooling == b.pooling &&
         (a.are_queries == b.are_queries || !forward_.limits().tells_queries);
}

// The one that was served longest ago first.
std::vector<std::shared_ptr<Job>> Stream::in_turn(const Jobs& jobs) const {
  std::vector<std::shared_ptr<Job>> ours;
  for (const std::shared_ptr<Job>& job : jobs) {
    if (is_ours(*job)) ours.push_back(job);
  }
  std::stable_sort(ours.begin(), ours.end(),
                   [](const auto& a, const auto& b) { return a->last_served < b->last_served; });
  return ours;
}

void Stream::depart(const std::vector<Candidate>& candidates, int budget, Captain* captain,
                    std::optional<Flight>& to) {
  std::vector<const Sequence*> pending;
  pending.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    pending.push_back(&candidate.job->window[candidate.i_window].sequence);
  }
  const Forward::Limits& limits = forward_.limits();
  const std::vector<size_t> chosen =
      choose_pack(pending, budget, limits.max_sequences, limits.shares_prefixes);
  std::vector<Flight::Text> texts;
  texts.reserve(chosen.size());
  std::set<Job*> owners;
  for (const size_t i : chosen) owners.insert(candidates[i].job.get());

  // Nothing below throws: a text is in its window or in the flight.
  ++n_departures_;
  for (const size_t i : chosen) {
    const Candidate& candidate = candidates[i];
    Job::Waiting& waiting = candidate.job->window[candidate.i_window];
    candidate.job->n_waiting_tokens -= waiting.sequence.ids.size();
    candidate.job->last_served = n_departures_;
    texts.push_back({candidate.job, waiting.index, std::move(waiting.sequence)});
    waiting.sequence.ids.clear();
  }
  const Sequence* next = nullptr;
  for (Job* job : owners) {
    auto left = [](const Job::Waiting& waiting) { return waiting.sequence.ids.empty(); };
    job->window.erase(std::remove_if(job->window.begin(), job->window.end(), left),
                      job->window.end());
    if (next == nullptr && !job->window.empty()) next = &job->window.front().sequence;
  }
  to.emplace(forward_, std::move(texts), next, captain);
}

// Where even a pack cannot be put together, one text has to go: without it the stream would try the
// same again for ever.
void Stream::give_up_one(const Jobs& jobs, Failure failure) {
  for (const std::shared_ptr<Job>& job : jobs) {
    if (!is_ours(*job)) continue;
    if (!job->window.empty()) {
      const size_t index = job->window.front().index;
      job->n_waiting_tokens -= job->window.front().sequence.ids.size();
      job->window.pop_front();
      return job->fail(index, std::move(failure));
    }
    if (job->frame && job->n_tokenised < job->n_texts()) {
      job->prompt.reset();
      return job->fail(job->n_tokenised++, std::move(failure));
    }
    job->failure = std::move(failure);
    return;
  }
}

}  // namespace qwen3_embed
