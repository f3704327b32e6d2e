// Bulk texts get their part of the time while interactive ones keep coming, and no more of it.
#include "core/road/policy.h"

#include <cmath>

#include "check.h"

using namespace qwen3_embed;
using Turn = Policy::Turn;

// The part of the time bulk texts got while both waited all the time.
static double bulk_part(double interactive_ms, double slice_ms) {
  Policy policy;
  double interactive = 0, bulk = 0;
  for (int i = 0; i < 1000000; ++i) {
    const Turn turn = policy.next(true, true);
    const double ms = turn == Turn::bulk ? slice_ms : interactive_ms;
    policy.ran(turn, ms, true);
    (turn == Turn::bulk ? bulk : interactive) += ms;
  }
  return bulk / (bulk + interactive);
}

int main() {
  for (const double interactive_ms : {1.0, 30.0, 1000.0}) {
    for (const double slice_ms : {0.5, 30.0, 1000.0}) {
      CHECK(std::abs(bulk_part(interactive_ms, slice_ms) - 1.0 / 9) < 0.01);
    }
  }
  Policy policy;
  CHECK(policy.next(true, false) == Turn::interactive);
  CHECK(policy.next(false, true) == Turn::bulk);
  CHECK(policy.next(true, true) == Turn::interactive);
  // Time that either side had to itself earns the other nothing, nor costs it.
  for (int i = 0; i < 100; ++i) policy.ran(Turn::bulk, 30, false);
  CHECK(policy.next(true, true) == Turn::interactive);
  for (int i = 0; i < 100; ++i) policy.ran(Turn::interactive, 30, false);
  CHECK(policy.next(true, true) == Turn::interactive);
  policy.ran(Turn::interactive, 30, true);
  CHECK(policy.next(true, true) == Turn::interactive);
  policy.ran(Turn::interactive, 30 * 8, true);
  CHECK(policy.next(true, true) == Turn::bulk);
  CHECK(policy.next(true, false) == Turn::interactive);
  return check::finish();
}
