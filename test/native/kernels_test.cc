// Every kernel set this processor runs, against sums in double precision and against itself under
// another batch, another split over threads and another cut of the keys. With a name as argument,
// also that the dispatcher's choice is that set; with a second, that set alone.
#include <cstdio>
#include <cstring>

#include "kernels/checks.h"

using namespace qwen3_embed::kernels;

namespace {

void test_dispatch(const char* expected) {
  CHECK(best() != nullptr && best() == available(0), "a set for every processor");
  CHECK(find("portable") != nullptr && find("no such set") == nullptr, "names");
  CHECK(available(-1) == nullptr && available(100) == nullptr, "ends");
  CHECK(!best()->packable(12345, 256) && !best()->packable(8, 48) && !best()->packable(12, 128) &&
            !best()->packable(8, 0),
        "refusals");
  if (expected)
    CHECK(std::strcmp(best()->name, expected) == 0, "chose %s, not %s", best()->name, expected);
}

}  // namespace

int main(int argc, char** argv) {
  test_dispatch(argc > 1 ? argv[1] : nullptr);
  for (int i = 0; const Kernels* set = available(i); i++) {
    if (argc > 2 && std::strcmp(set->name, argv[2]) != 0) continue;
    const int before = failed;
    test_products(*set);
    test_rows(*set);
    test_quantisation(*set);
    test_longest_sums(*set);
    test_non_finite(*set);
    test_rope(*set);
    test_scan(*set);
    for (const Rounding rounding : {Rounding::kNone, Rounding::kCodes, Rounding::kBf16}) {
      test_attention(*set, rounding);
      test_attention_non_finite(*set, rounding);
    }
    std::printf("%s: %s\n", set->name, failed == before ? "ok" : "FAILED");
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
