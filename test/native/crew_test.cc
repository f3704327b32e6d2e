// The engine's threads: every item once, nobody waits in vain, nothing burns while idle.
#include "core/cpu/crew.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"
#include "core/failure.h"

using namespace qwen3_embed;

static void every_item_once() {
  for (const int n_threads : {1, 2, 3, 8}) {
    Crew crew(n_threads);
    CHECK(crew.n_threads() == n_threads);
    bool right = true;
    for (int round = 0; round < 3000; ++round) {
      const int64_t n_items = round % 40;
      std::vector<int> n_calls(static_cast<size_t>(n_items), 0);
      std::vector<std::atomic<int>> inside(static_cast<size_t>(n_threads));
      std::atomic<bool> alone{true};
      crew.each(n_items, {}, [&](int64_t item, int worker) {
        if (inside[static_cast<size_t>(worker)].fetch_add(1) != 0) alone = false;
        ++n_calls[static_cast<size_t>(item)];
        inside[static_cast<size_t>(worker)].fetch_sub(1);
      });
      for (const int n : n_calls) right &= n == 1;
      right &= alone;
    }
    CHECK(right);
  }
}

// What one round writes, the next one reads, whoever runs it.
static void rounds_are_in_order() {
  Crew crew(3);
  std::vector<int64_t> a(500, 1), b(500, 0);
  for (int round = 0; round < 200; ++round) {
    crew.each(500, {}, [&](int64_t i, int) {
      b[static_cast<size_t>(i)] = a[static_cast<size_t>(499 - i)] + 1;
    });
    a.swap(b);
  }
  bool right = true;
  for (const int64_t value : a) right &= value == 201;
  CHECK(right);
}

static void stops_when_told() {
  Crew crew(2);
  std::atomic<int> n_run{0}, n_asked{0};
  bool aborted = false;
  try {
    crew.each(
        100000, [&] { return ++n_asked > 10; }, [&](int64_t, int) { ++n_run; });
  } catch (const Failure& failure) {
    aborted = failure.code == Code::aborted;
  }
  CHECK(aborted);
  CHECK(n_asked == 11);
  CHECK(n_run < 100000);
  n_run = 0;
  crew.each(100, {}, [&](int64_t, int) { ++n_run; });
  CHECK(n_run == 100);
}

static void passes_exceptions_on() {
  Crew crew(4);
  for (int64_t bad = 0; bad < 50; ++bad) {
    bool caught = false;
    try {
      crew.each(50, {}, [&](int64_t item, int) {
        if (item == bad) throw std::runtime_error("bad item");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    CHECK(caught);
  }
}

static void comes_and_goes() {
  for (int i = 0; i < 200; ++i) {
    Crew crew(1 + i % 5);
    if (i % 2 == 0) crew.each(i % 7, {}, [](int64_t, int) {});
  }
  CHECK(true);
}

static void sleeps_when_idle() {
  Crew crew(4);
  std::atomic<int> n_run{0};
  crew.each(100, {}, [&](int64_t, int) { ++n_run; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const double busy_ms = 1000.0 * static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
#ifndef _WIN32  // where clock() is wall time
  CHECK(busy_ms < 4);
#else
  (void)busy_ms;
#endif
}

int main() {
  every_item_once();
  rounds_are_in_order();
  stops_when_told();
  passes_exceptions_on();
  comes_and_goes();
  sleeps_when_idle();
  return check::finish();
}
