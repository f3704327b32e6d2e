// The whole of our test framework: CHECK counts, finish() prints the sum and makes the exit code.
#pragma once

#include <cstdio>
#include <string>

namespace check {

inline int n_passed = 0, n_failed = 0;

inline void report(bool ok, const char* what, const char* file, int line,
                   const std::string& detail = {}) {
  if (ok) {
    n_passed++;
    return;
  }
  n_failed++;
  std::printf("%s:%d: failed: %s%s%s\n", file, line, what, detail.empty() ? "" : ": ",
              detail.c_str());
}

inline int finish() {
  std::printf("%d passed, %d failed\n", n_passed, n_failed);
  return n_failed == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::report((condition), #condition, __FILE__, __LINE__)
