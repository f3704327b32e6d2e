// Every allocation between a call and its end is refused once, and once more together with all that
// follow: nothing crashes, every job settles, each text is done with the right bits or failed,
// never both, and the next call works.
//
// QWEN3_ALLOCATIONS=all: every one of them on every model; else as many as some seconds allow, in
// even strides.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "check.h"
#include "core/machine/backends.h"
#include "core/road/lane.h"
#include "loaded_model.h"
#include "tiny_models.h"

// ---- memory that can be refused ----
namespace memory {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
std::atomic<bool> counts{false};
std::atomic<int64_t> n{0}, first{kNever}, end{kNever};

void arm(int64_t refuse_first, int64_t refuse_end) {
  n = 0, first = refuse_first, end = refuse_end;
  counts = true;
}
int64_t disarm() {
  counts = false;
  return n;
}

bool refused() {
  if (!counts.load(std::memory_order_relaxed)) return false;
  const int64_t i = n.fetch_add(1, std::memory_order_relaxed);
  return i >= first.load(std::memory_order_relaxed) && i < end.load(std::memory_order_relaxed);
}

void* take(size_t n_bytes, size_t alignment = alignof(std::max_align_t)) noexcept {
  if (refused()) return nullptr;
#ifdef _WIN32
  return _aligned_malloc(n_bytes, alignment);
#else
  void* block = nullptr;
  return posix_memalign(&block, std::max(alignment, sizeof(void*)), n_bytes) == 0 ? block : nullptr;
#endif
}
void* take_or_throw(size_t n_bytes, size_t alignment = alignof(std::max_align_t)) {
  void* block = take(n_bytes, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void give(void* block) noexcept {
#ifdef _WIN32
  _aligned_free(block);
#else
  std::free(block);
#endif
}

}  // namespace memory

void* operator new(size_t n) { return memory::take_or_throw(n); }
void* operator new[](size_t n) { return memory::take_or_throw(n); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return memory::take(n); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return memory::take(n); }
void* operator new(size_t n, std::align_val_t a) {
  return memory::take_or_throw(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, std::align_val_t a) {
  return memory::take_or_throw(n, static_cast<size_t>(a));
}
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return memory::take(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return memory::take(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { memory::give(p); }
void operator delete[](void* p) noexcept { memory::give(p); }
void operator delete(void* p, size_t) noexcept { memory::give(p); }
void operator delete[](void* p, size_t) noexcept { memory::give(p); }
void operator delete(void* p, std::align_val_t) noexcept { memory::give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { memory::give(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { memory::give(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { memory::give(p); }

namespace {

using namespace qwen3_embed;
using Clock = std::chrono::steady_clock;

const std::string kShared = "these words begin many of the texts, yes or no, ";

Calls calls_of(bool ranks, size_t n_embd) {
  std::string letters;
  for (int i = 0; i < 30000; ++i) letters += "no ye,s ";
  Calls calls;
  const auto add = [&](const JobOptions& options, const std::vector<std::string>& bodies) {
    calls.push_back(std::make_unique<Call>(options, bodies, n_embd));
  };
  JobOptions options;
  if (ranks) {
    options.task = JobOptions::Task::rank;
    options.pooling = Pooling::rank;
    options.prefix = "judge: ";
    options.suffix = " so?";
    add(options, {kShared + "a", kShared + "bcd", "x", kShared});
    options.interactive = true;
    add(options, {kShared + "q", "y"});
    return calls;
  }
  // The long one is tokenised in slices while others wait for their pass.
  options.truncate = true;
  add(options, {kShared + "a", kShared + "bcd", "alone", letters, kShared + "yes"});
  options.truncate = false;
  add(options, {kShared + "a", letters, "no"});  // one of them is too long
  options.pooling = Pooling::none;
  add(options, {kShared + "tokens", "b", kShared + "more tokens"});
  options.pooling = Pooling::mean;
  add(options, {kShared + "mean", "c"});
  options.pooling = Pooling::last;
  options.interactive = true;
  add(options, {kShared + "a query", "d"});
  options.only_tokens = true;
  add(options, {kShared, "e"});
  return calls;
}

// Runs them side by side, refusing allocations [first, end). The number there were; -1 if one never
// settled.
int64_t run(Loaded& model, Calls& calls, int64_t first, int64_t end) {
  Ends ends;
  for (const auto& call : calls) call->ends = &ends;
  int n = 0;
  memory::arm(first, end);
  for (const auto& call : calls) {
    try {
      model.lane().submit(call->job);
      ++n;
    } catch (const std::bad_alloc&) {
      call->was_refused = true;
    }
  }
  const bool all = ends.wait_for(n);
  const int64_t n_allocations = memory::disarm();
  return all ? n_allocations : -1;
}

// What is wrong with the end of a call, beside the end it has when nothing is refused.
std::string fault_of(const Call& call, const Call& expected) {
  if (call.was_refused) return call.n_settled == 0 ? "" : "settled though it was refused";
  if (call.n_settled != 1) return "settled " + std::to_string(call.n_settled) + " times";
  const Job& job = *call.job;
  if (job.failure) {
    return job.failure->code == Code::out_of_memory ? "" : "job: " + job.failure->message;
  }
  for (size_t i = 0; i < job.n_texts(); ++i) {
    if (job.is_open(i)) return "text " + std::to_string(i) + " is open";
    const auto fails = [i](const Job& of) {
      return std::count_if(of.failures.begin(), of.failures.end(),
                           [i](const ItemFailure& failure) { return failure.index == i; });
    };
    const auto n_failures = fails(job);
    if (n_failures > 1) return "text " + std::to_string(i) + " failed twice";
    if (n_failures == 0 && fails(*expected.job) > 0)
      return "text " + std::to_string(i) + " is done and should have failed";
    if (n_failures == 0 && call.result(i) != expected.result(i))
      return "text " + std::to_string(i) + " has other bits";
  }
  for (const ItemFailure& item : job.failures) {
    const bool expected_one =
        std::any_of(expected.job->failures.begin(), expected.job->failures.end(),
                    [&](const ItemFailure& other) {
                      return other.index == item.index && other.failure.code == item.failure.code;
                    });
    if (item.failure.code != Code::out_of_memory && !expected_one)
      return "text " + std::to_string(item.index) + ": " + item.failure.message;
  }
  return "";
}

bool takes_all() {
  const char* how_many = std::getenv("QWEN3_ALLOCATIONS");
  return how_many != nullptr && std::string(how_many) == "all";
}

int64_t stride_for(int64_t n, Clock::duration one, Clock::duration room) {
  if (takes_all()) return 1;
  return std::max<int64_t>(1, (n * one.count() + room.count() - 1) / room.count());
}

void refuse_in_passes(const std::string& name, const LoadOptions& options, Clock::duration room) {
  const bool ranks = options.kind == Kind::rank;
  Loaded model(options);
  CHECK(!model.has_failed());
  if (model.has_failed()) return;
  Calls expected = calls_of(ranks, model.n_embd());
  CHECK(run(model, expected, memory::kNever, memory::kNever) > 0);
  for (const auto& call : expected) {
    CHECK(fault_of(*call, *call).empty());
    CHECK(!call->job->failure);
  }
  // Warm, as most passes are.
  Calls again = calls_of(ranks, model.n_embd());
  const auto start = Clock::now();
  const int64_t n = run(model, again, memory::kNever, memory::kNever);
  const auto one = Clock::now() - start;
  CHECK(n > 0);
  for (size_t i = 0; i < again.size(); ++i) CHECK(fault_of(*again[i], *expected[i]).empty());

  for (const bool for_good : {false, true}) {
    const int64_t stride = stride_for(n, one * (for_good ? 1 : 2), room / 2);
    int64_t n_tried = 0, n_refused = 0;
    int n_faults = 0;
    for (int64_t first = 0; first < n; first += stride, ++n_tried) {
      Calls calls = calls_of(ranks, model.n_embd());
      const int64_t made = run(model, calls, first, for_good ? memory::kNever : first + 1);
      if (made < 0) {
        std::printf("%s, allocation %lld: a job never settles\n", name.c_str(),
                    static_cast<long long>(first));
        CHECK(false);
        std::fflush(stdout);
        std::_Exit(1);  // the lane still holds it
      }
      n_refused += made > first;
      for (size_t i = 0; i < calls.size(); ++i) {
        const std::string fault = fault_of(*calls[i], *expected[i]);
        if (fault.empty()) continue;
        if (++n_faults < 10)
          std::printf("%s, allocation %lld%s, job %zu: %s\n", name.c_str(),
                      static_cast<long long>(first), for_good ? " and on" : "", i, fault.c_str());
      }
    }
    CHECK(n_faults == 0);
    CHECK(n_refused >= n_tried * 9 / 10);
    std::printf("%s: %lld allocations, %lld refused%s, stride %lld\n", name.c_str(),
                static_cast<long long>(n), static_cast<long long>(n_refused),
                for_good ? " with all that follow" : "", static_cast<long long>(stride));
  }
  Calls last = calls_of(ranks, model.n_embd());
  CHECK(run(model, last, memory::kNever, memory::kNever) > 0);
  for (size_t i = 0; i < last.size(); ++i) {
    CHECK(fault_of(*last[i], *expected[i]).empty());
    CHECK(!last[i]->job->failure &&
          last[i]->job->failures.size() == expected[i]->job->failures.size());
  }
}

// A load fails for want of memory, or is one.
void refuse_in_load(const std::string& name, const LoadOptions& options, Clock::duration room) {
  const auto start = Clock::now();
  memory::arm(memory::kNever, memory::kNever);
  { const Loaded model(options); }
  const int64_t n = memory::disarm();
  const auto one = Clock::now() - start;
  const int64_t stride = stride_for(n, 2 * one, room);
  int64_t n_failed = 0;
  for (int64_t i = 0; i < n; i += stride) {
    for (const int64_t end : {i + 1, memory::kNever}) {
      memory::arm(i, end);
      bool ok = true;
      try {
        Loaded model(options);
        memory::disarm();
        n_failed += model.has_failed();
        ok = !model.has_failed() || model.code() == Code::out_of_memory;
        if (!ok) std::printf("%s: %s\n", name.c_str(), code_name(model.code()));
      } catch (const std::bad_alloc&) {
        ++n_failed;  // the caller's, before there was a lane
      }
      memory::disarm();
      if (!ok) std::printf("%s: load, allocation %lld\n", name.c_str(), static_cast<long long>(i));
      CHECK(ok);
    }
  }
  CHECK(n_failed > 0);
  std::printf("%s: load: %lld allocations, stride %lld, %lld loads failed\n", name.c_str(),
              static_cast<long long>(n), static_cast<long long>(stride),
              static_cast<long long>(n_failed));
}

}  // namespace

int main() {
  const char* libraries = std::getenv("QWEN3_LIBRARIES");
  const char* root = std::getenv("QWEN3_ROOT");
  load_backends(libraries != nullptr ? libraries : "build/Release");
  gguf_builder::Size size;
  size.n_embd = 64, size.n_ff = 96, size.n_ctx = 256;
  const gguf_builder::Folder folder;
  LoadOptions options;
  options.n_threads = 2;
  options.budget = 96;
  options.prefix_bytes = size_t{1} << 20;
  options.engine = "packed";
  using std::chrono::seconds;

  options.path =
      folder.write("tiny.gguf", gguf_builder::qwen3_embedder(GGML_TYPE_F32, size).build());
  refuse_in_passes("tiny embedder", options, seconds(8));
  refuse_in_load("tiny embedder", options, seconds(4));
  LoadOptions crews = options;
  crews.n_crews = 2;
  refuse_in_passes("tiny embedder, two crews", crews, seconds(8));
  refuse_in_load("tiny embedder, two crews", crews, seconds(4));
  LoadOptions rank = options;
  rank.kind = Kind::rank;
  rank.path = folder.write("rank.gguf", gguf_builder::qwen3_reranker(size).build());
  refuse_in_passes("tiny reranker", rank, seconds(3));
  options.path = std::string(root != nullptr ? root : ".") + "/models/mini/mini-embed-Q8_0.gguf";
  options.max_tokens = 256;
  refuse_in_passes("mini", options, seconds(8));
  return check::finish();
}
