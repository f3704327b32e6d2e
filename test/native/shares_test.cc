// Bulk texts get their part of the time while interactive ones keep coming, and no more of it.
#include "core/road/shares.h"

#include <cmath>

#include "check.h"

using namespace qwen3_embed;

// The part of the time bulk texts got while both waited all the time.
static double bulk_part(double interactive_ms, double slice_ms) {
  Shares shares;
  double interactive = 0, bulk = 0;
  for (int i = 0; i < 1000000; ++i) {
    if (shares.bulk_is_due()) {
      shares.bulk_ran(slice_ms);
      bulk += slice_ms;
    } else {
      shares.interactive_ran(interactive_ms);
      interactive += interactive_ms;
    }
  }
  return bulk / (bulk + interactive);
}

int main() {
  for (const double interactive_ms : {1.0, 30.0, 1000.0}) {
    for (const double slice_ms : {0.5, 30.0, 1000.0}) {
      CHECK(std::abs(bulk_part(interactive_ms, slice_ms) - 1.0 / 9) < 0.01);
    }
  }
  // Time that bulk texts had to themselves earns interactive ones nothing, nor costs them.
  Shares shares;
  for (int i = 0; i < 100; ++i) shares.bulk_ran(30);
  CHECK(!shares.bulk_is_due());
  shares.interactive_ran(30);
  CHECK(!shares.bulk_is_due());
  shares.interactive_ran(30 * 8);
  CHECK(shares.bulk_is_due());
  return check::finish();
}
