#include "core/road/turns.h"

namespace qwen3_embed {

Turns::Turns(const Vocabulary& vocabulary, Forward& forward)
    : interactive_(vocabulary, forward, forward.crew(), true),
      bulk_(vocabulary, forward, forward.crew(), false) {}

bool Turns::step(const Jobs& jobs, const Abort& stop) {
  using Turn = Policy::Turn;
  const bool interactive = interactive_.waits(jobs), bulk = bulk_.waits(jobs);
  if (!interactive && !bulk) return false;
  // A device does one pass at a time: what was started is waited for, whoever comes meanwhile.
  const bool is_under_way = interactive_.is_under_way() || bulk_.is_under_way();
  if (is_under_way && prepare_ahead(jobs, stop)) return true;
  Turn turn = policy_.next(interactive, bulk);
  if (is_under_way) {
    turn = bulk_.is_under_way() ? Turn::bulk : Turn::interactive;
  } else {
    watch_.lap_ms();
  }
  Stream& stream = turn == Turn::bulk ? bulk_ : interactive_;
  stream.step(jobs, stop);
  // A pass that was started counts when it ends, with the time since.
  if (!stream.is_under_way()) policy_.ran(turn, watch_.lap_ms(), interactive && bulk);
  return true;
}

bool Turns::prepare_ahead(const Jobs& jobs, const Abort& stop) {
  return interactive_.prepare_ahead(jobs, stop) || bulk_.prepare_ahead(jobs, stop);
}

}  // namespace qwen3_embed
