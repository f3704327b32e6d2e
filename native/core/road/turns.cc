#include "core/road/turns.h"

namespace qwen3_embed {

Turns::Turns(const Vocabulary& vocabulary, Forward& forward, const std::function<void()>& on_change)
    : captains_(forward.n_crews(), on_change),
      interactive_(vocabulary, forward, forward.crew(), nullptr, true),
      bulk_(vocabulary, forward, forward.crew(), &captains_, false) {}

Turns::Step Turns::step(const Jobs& jobs, const Abort& stop) {
  using Turn = Policy::Turn;
  const bool interactive = interactive_.waits(jobs), bulk = bulk_.waits(jobs);
  if (!interactive && !bulk) return Step::nothing;
  // A device does one pass at a time: what was started is waited for, whoever comes meanwhile.
  const bool is_under_way = interactive_.is_under_way() || bulk_.is_under_way();
  if (is_under_way && prepare_ahead(jobs, stop)) return Step::done;
  Turn turn = policy_.next(interactive, bulk);
  if (is_under_way) {
    turn = bulk_.is_under_way() ? Turn::bulk : Turn::interactive;
  } else {
    watch_.lap_ms();
  }
  if (turn == Turn::interactive) {
    // They have the processors to themselves: captains wait from the end of the step they are in.
    captains_.hold();
    interactive_.step(jobs, stop);
  } else if (!step_bulk(jobs, stop, interactive)) {
    return Step::waits;
  }
  // A pass that was started counts when it ends, with the time since.
  const Stream& stream = turn == Turn::bulk ? bulk_ : interactive_;
  if (!stream.is_under_way()) policy_.ran(turn, watch_.lap_ms(), interactive && bulk);
  return Step::done;
}

bool Turns::prepare_ahead(const Jobs& jobs, const Abort& stop) {
  return interactive_.prepare_ahead(jobs, stop) || bulk_.prepare_ahead(jobs, stop);
}

// Where interactive texts wait too, captains get their slice as this thread does: a step each.
bool Turns::step_bulk(const Jobs& jobs, const Abort& stop, bool interactive_waits) {
  if (interactive_waits) {
    bulk_.step(jobs, stop);
    captains_.step_each();
    return true;
  }
  captains_.let_go();
  return bulk_.step(jobs, stop) || !bulk_.captains_have_packs();
}

}  // namespace qwen3_embed
