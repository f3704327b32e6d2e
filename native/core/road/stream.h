// One of the two streams of texts on a model, interactive or bulk: tokenises what waits, chooses
// packs, flies them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "core/road/flight.h"
#include "core/road/forward.h"
#include "core/road/job.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed {

using Jobs = std::list<std::shared_ptr<Job>>;

class Crew;

class Stream {
 public:
  // `crew` may be null: then texts are tokenised one after another.
  Stream(const Vocabulary& vocabulary, Forward& forward, Crew* crew, bool interactive);

  // Whether a step would do anything for these jobs. Those of the other stream are never looked at.
  bool waits(const Jobs& jobs) const;

  // One short step: a slice of text tokenised, a pack chosen, or its pass a step further. Throws
  // nothing; what goes wrong ends in the text, or the job, that it went wrong for.
  void step(const Jobs& jobs, const Abort& stop);

  // Whether the device computes a pass of this stream, and another step would wait for it.
  bool is_under_way() const { return flight_ && flight_->is_under_way(); }
  // One short step towards the next pack while the device computes: a slice of text tokenised, or a
  // pack chosen and its pass begun, but only a full one, since texts that arrive meanwhile should
  // go with it. False if there is nothing of that to do.
  bool prepare_ahead(const Jobs& jobs, const Abort& stop);

 private:
  struct Candidate {
    std::shared_ptr<Job> job;
    size_t i_window;
  };

  bool is_ours(const Job& job) const {
    return job.options.interactive == interactive_ && !job.settled();
  }
  bool fits(const JobOptions& a, const JobOptions& b) const;
  bool prepare(const Jobs& jobs, const Abort& stop, bool only_full);
  std::vector<std::shared_ptr<Job>> in_turn(const Jobs& jobs) const;
  bool tokenise(Job& job, size_t n_enough, const Abort& stop, bool& worked);
  void tokenise_next(Job& job);
  PromptInProgress start_prompt(Job& job, size_t index) const;
  void accept(Job& job, size_t index, Prompt prompt) const;
  void depart(const std::vector<Candidate>& candidates);
  void give_up_one(const Jobs& jobs, Failure failure);

  const Vocabulary& vocabulary_;
  Forward& forward_;
  Crew* crew_;
  const bool interactive_;
  std::optional<Flight> flight_;
  std::optional<Flight> ahead_;  // departs when flight_ has landed
  uint64_t n_departures_ = 0;
};

}  // namespace qwen3_embed
