// Passes side by side: each on a thread of its own, held and let go together, ended when told.
#include "core/road/captain.h"

#include <chrono>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "core/failure.h"

using namespace qwen3_embed;

namespace {

constexpr auto kPatience = std::chrono::seconds(20);

// Passes that need each other, or never end by themselves.
struct Shared {
  std::atomic<int> n_inside{0}, most_inside{0};
};

class TestPass final : public Pass {
 public:
  TestPass(Shared& shared, int n_steps) : shared_(shared), n_left_(n_steps) {}

  bool step(const Abort& abort) override {
    const int n = ++shared_.n_inside;
    for (int most = shared_.most_inside; most < n; most = shared_.most_inside)
      shared_.most_inside.compare_exchange_weak(most, n);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    while (waits_for_abort && !abort()) std::this_thread::yield();
    --shared_.n_inside;
    ++n_steps;
    if (throws) throw std::runtime_error("bad step");
    if (abort()) throw Failure{Code::aborted, "Aborted.", {}};
    return --n_left_ > 0;
  }
  RowView row(size_t) override { return {nullptr, 0}; }

  std::atomic<int> n_steps{0};
  std::atomic<bool> waits_for_abort{false}, throws{false};

 private:
  Shared& shared_;
  int n_left_;
};

// Counts what captains tell.
struct Told {
  std::atomic<int> n{0};
  std::function<void()> tell() {
    return [this] { ++n; };
  }
};

template <typename Condition>
bool comes_true(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return condition();
}

void side_by_side() {
  Told told;
  Shared shared;
  TestPass a(shared, 500), b(shared, 500);
  Captains captains(2, told.tell());
  CHECK(captains.n() == 2 && captains.of(1).crew() == 1 && captains.of(2).crew() == 2);
  captains.of(1).start(a);
  captains.of(2).start(b);
  CHECK(comes_true([&] { return told.n == 2; }));
  CHECK(captains.of(1).has_stopped() && captains.of(2).has_stopped());
  captains.of(1).take();
  captains.of(2).take();
  CHECK(a.n_steps == 500 && b.n_steps == 500);
  CHECK(shared.most_inside == 2);
}

void held_and_let_go() {
  Told told;
  Shared shared;
  TestPass a(shared, 1000000), b(shared, 4);
  Captains captains(3, told.tell());  // one of them has nothing to do
  captains.hold();
  captains.of(1).start(a);
  captains.of(2).start(b);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(a.n_steps == 0 && b.n_steps == 0);
  for (int i = 1; i <= 6; ++i) {
    captains.step_each();
    CHECK(shared.n_inside == 0);
    CHECK(a.n_steps == i && b.n_steps == std::min(i, 4));
  }
  CHECK(captains.of(2).has_stopped() && !captains.of(1).has_stopped());
  for (int i = 0; i < 50; ++i) {
    captains.let_go();
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    captains.hold();
    const int n = a.n_steps;
    CHECK(shared.n_inside == 0);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    CHECK(a.n_steps == n);
  }
  captains.of(1).cancel();
  captains.of(2).take();
  CHECK(told.n >= 1);
}

void ended_when_told() {
  Told told;
  Shared shared;
  Captains captains(1, told.tell());
  for (int i = 0; i < 50; ++i) {
    TestPass endless(shared, 1000000);
    endless.waits_for_abort = i % 2 == 0;
    captains.of(1).start(endless);
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    captains.of(1).cancel();
    CHECK(shared.n_inside == 0);
  }
  // Nothing of that is left over.
  TestPass next(shared, 3);
  captains.of(1).start(next);
  CHECK(comes_true([&] { return captains.of(1).has_stopped(); }));
  captains.of(1).take();
  CHECK(next.n_steps == 3);
}

void passes_exceptions_on() {
  Told told;
  Shared shared;
  Captains captains(1, told.tell());
  TestPass bad(shared, 3);
  bad.throws = true;
  captains.of(1).start(bad);
  CHECK(comes_true([&] { return told.n == 1; }));
  bool caught = false;
  try {
    captains.of(1).take();
  } catch (const std::runtime_error&) {
    caught = true;
  }
  CHECK(caught && bad.n_steps == 1);
}

// A captain that goes ends its pass first.
void leaves_in_the_middle() {
  Told told;
  Shared shared;
  for (int i = 0; i < 20; ++i) {
    TestPass endless(shared, 1000000);
    endless.waits_for_abort = true;
    Captains captains(1, told.tell());
    captains.of(1).start(endless);
    if (i % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  CHECK(shared.n_inside == 0);
}

}  // namespace

int main() {
  side_by_side();
  held_and_let_go();
  ended_when_told();
  passes_exceptions_on();
  leaves_in_the_middle();
  return check::finish();
}
