// One of the two streams of texts on a model, interactive or bulk: tokenises what waits, chooses
// packs, flies them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "core/road/captain.h"
#include "core/road/flight.h"
#include "core/road/forward.h"
#include "core/road/job.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed {

using Jobs = std::list<std::shared_ptr<Job>>;

class Crew;

class Stream {
 public:
  // `crew` may be null: then texts are tokenised one after another. `captains`: of the forward's
  // other crews, where this stream's packs may go to them; or null.
  Stream(const Vocabulary& vocabulary, Forward& forward, Crew* crew, Captains* captains,
         bool interactive);

  // Whether a step would do anything for these jobs. Those of the other stream are never looked at.
  bool waits(const Jobs& jobs) const;

  // One short step: a slice of text tokenised, a pack chosen, or its pass a step further. Throws
  // nothing; what goes wrong ends in the text, or the job, that it went wrong for. False if there
  // was nothing to do, for the time being where captains are under way.
  bool step(const Jobs& jobs, const Abort& stop);
  // Whether captains have packs of this stream.
  bool captains_have_packs() const;

  // Whether the device computes a pass of this stream, and another step would wait for it.
  bool is_under_way() const { return flights_[0] && flights_[0]->is_under_way(); }
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
  bool step_flights(const Abort& stop);
  // Where the next pack can go, of flights_: 0, the number of a crew, or none.
  std::optional<size_t> berth(size_t n_tokens) const;
  Captain* captain(size_t i_berth) const;
  int budget(size_t i_berth, size_t n_tokens) const;
  size_t least_of_crew() const;
  bool has_more(const Jobs& jobs) const;
  bool prepare(const Jobs& jobs, const Abort& stop, bool ahead);
  std::vector<std::shared_ptr<Job>> in_turn(const Jobs& jobs) const;
  bool tokenise(Job& job, size_t n_enough, const Abort& stop, bool& worked);
  void tokenise_next(Job& job);
  PromptInProgress start_prompt(Job& job, size_t index) const;
  void accept(Job& job, size_t index, Prompt prompt) const;
  void depart(const std::vector<Candidate>& candidates, int budget, Captain* captain,
              std::optional<Flight>& to);
  void give_up_one(const Jobs& jobs, Failure failure);

  const Vocabulary& vocabulary_;
  Forward& forward_;
  Crew* const crew_;
  const bool interactive_;
  Captains* const captains_;
  // By crew: crew 0's is stepped here, and none of the others is under way meanwhile. (1 + crews)
  std::vector<std::optional<Flight>> flights_;
  std::optional<Flight> ahead_;  // departs when flights_[0] has landed
  uint64_t n_departures_ = 0;
};

}  // namespace qwen3_embed
