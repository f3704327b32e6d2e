// What the machine gives: threads with the stack that was asked for, memory, and refusals that are
// Failures.
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "core/failure.h"
#include "core/machine/memory.h"
#include "core/machine/thread.h"

namespace {

using namespace qwen3_embed;

template <typename Error, typename Action>
bool throws(const Action& action) {
  try {
    action();
  } catch (const Error&) {
    return true;
  } catch (...) {
  }
  return false;
}

// Uses a kilobyte of stack a level.
int descend(int levels) {
  volatile char kilobyte[1024];
  std::memset(const_cast<char*>(kilobyte), levels, sizeof kilobyte);
  return levels == 0 ? kilobyte[0] : descend(levels - 1) + kilobyte[1] * 0 + 1;
}

void threads() {
  int depth = 0;
  Thread deep([&] { depth = descend(60 * 1024); }, size_t{128} << 20);
  CHECK(deep.joinable());
  deep.join();
  CHECK(depth == 60 * 1024);
  CHECK(!deep.joinable());
  deep.join();

  std::vector<Thread> crew;
  std::vector<int> done(8);
  for (int& i : done) crew.emplace_back([&i] { i = 1; });
  crew.clear();
  for (const int i : done) CHECK(i == 1);

  bool moved = false;
  Thread one;
  CHECK(!one.joinable());
  one = Thread([&] { moved = true; });
  Thread two(std::move(one));
  CHECK(!one.joinable() && two.joinable());
  two.join();
  CHECK(moved);
}

// A stack that no address space holds: the system refuses, as it does when there are too many.
void refused_thread() {
  try {
    const Thread thread([] {}, size_t{1} << 60);
    CHECK(false);
  } catch (const Failure& failure) {
    CHECK(failure.code == Code::out_of_memory);
    CHECK(!failure.remedy.empty());
    CHECK(failure.sentence() == failure.message + " " + failure.remedy);
  }
}

void buffers() {
  Buffer buffer;
  CHECK(buffer.data() == nullptr && buffer.n_bytes() == 0);
  for (const size_t n_bytes : {size_t{1}, size_t{1000}, size_t{5} << 20, size_t{33} << 20}) {
    buffer.reserve(n_bytes);
    CHECK(buffer.n_bytes() == n_bytes);
    CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % kBufferAlignment == 0);
    std::memset(buffer.data(), 1, n_bytes);
  }
  void* const before = buffer.data();
  buffer.reserve(10);
  CHECK(buffer.data() == before && buffer.n_bytes() == size_t{33} << 20);
  for (const size_t n_bytes :
       {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max() / 2}) {
    CHECK(throws<std::bad_alloc>([&] { buffer.reserve(n_bytes); }));
    CHECK(buffer.data() == before && buffer.n_bytes() == size_t{33} << 20);
  }
  Buffer other(std::move(buffer));
  CHECK(other.data() == before);
  other.free();
  CHECK(other.data() == nullptr && other.n_bytes() == 0);
}

void sizes() {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  CHECK(array_bytes({3, 5}, 4) == 60);
  CHECK(array_bytes({kMost, 0, kMost}, 4) == 0);
  CHECK(array_bytes({int64_t{1} << 40}, 4) == size_t{1} << 42);
  CHECK(throws<std::bad_alloc>([] { array_bytes({-1, 4}, 4); }));
  CHECK(throws<std::bad_alloc>([] { array_bytes({kMost, 2}, 4); }));
  CHECK(throws<std::bad_alloc>([] { array_bytes({int64_t{1} << 32, int64_t{1} << 31}, 1); }));
}

void caught() {
  const auto failure_of = [](const auto& action) {
    try {
      action();
    } catch (...) {
      return caught_failure();
    }
    return Failure{};
  };
  CHECK(failure_of([] { throw std::bad_alloc(); }).code == Code::out_of_memory);
  CHECK(failure_of([] { throw std::length_error("x"); }).code == Code::compute);
  CHECK(failure_of([] { throw 1; }).code == Code::compute);
  CHECK(failure_of([] { throw Failure{Code::closed, "closed", {}}; }).code == Code::closed);
}

}  // namespace

int main() {
  threads();
  refused_thread();
  buffers();
  sizes();
  caught();
  return check::finish();
}
