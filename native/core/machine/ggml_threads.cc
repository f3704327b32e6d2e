#include "core/machine/ggml_threads.h"

#include <condition_variable>
#include <mutex>
#include <vector>

#include "core/failure.h"
#include "core/machine/backends.h"
#include "core/machine/thread.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"

namespace qwen3_embed {
namespace {

// That many at the same time, as ggml will ask for them. Throws where one is refused.
void try_threads(int n) {
  std::mutex mutex;
  std::condition_variable changed;
  bool leave = false;
  std::vector<Thread> threads;
  const auto dismiss = [&] {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      leave = true;
    }
    changed.notify_all();
    threads.clear();
  };
  try {
    for (int i = 0; i < n; ++i) {
      threads.emplace_back([&] {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [&] { return leave; });
      });
    }
  } catch (...) {
    dismiss();
    throw;
  }
  dismiss();
}

}  // namespace

GgmlThreads::GgmlThreads(int n_threads) {
  // Its first thread is the caller's.
  try_threads(n_threads - 1);
  auto* make = cpu_function<ggml_threadpool*(ggml_threadpool_params*)>("ggml_threadpool_new");
  if (make == nullptr) return;
  ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
  pool_ = make(&params);
  if (pool_ == nullptr) throw no_memory();
}

GgmlThreads::~GgmlThreads() {
  if (pool_ == nullptr) return;
  if (auto* free_pool = cpu_function<void(ggml_threadpool*)>("ggml_threadpool_free"))
    free_pool(pool_);
}

void GgmlThreads::serve(ggml_backend* cpu) const {
  auto* set =
      cpu_function<void(ggml_backend_t, ggml_threadpool*)>("ggml_backend_cpu_set_threadpool");
  if (pool_ != nullptr && set != nullptr) set(cpu, pool_);
}

}  // namespace qwen3_embed
