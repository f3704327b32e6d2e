#include "core/machine/thread.h"

#include <utility>

#include "core/failure.h"

#ifdef _WIN32
#include <process.h>
#include <windows.h>
#else
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#endif

namespace qwen3_embed {
namespace {

using Work = std::function<void()>;

[[noreturn]] void refused() {
  throw Failure{Code::out_of_memory,
                "The system refused to start a thread.",
                {},
                "Load fewer models or use fewer threads, or raise the limit of the process."};
}

// noexcept: an exception that reaches the end of a thread has nobody to go to.
void run(void* given) noexcept {
  const std::unique_ptr<Work> work(static_cast<Work*>(given));
  (*work)();
}

}  // namespace

#ifdef _WIN32

struct Thread::Handle {
  HANDLE thread;
};

Thread::Thread(std::function<void()> work, size_t stack_bytes) {
  auto owned = std::make_unique<Work>(std::move(work));
  std::unique_ptr<Handle, Delete> handle(new Handle{});
  const uintptr_t thread = _beginthreadex(
      nullptr, static_cast<unsigned>(stack_bytes),
      [](void* given) -> unsigned {
        run(given);
        return 0;
      },
      owned.get(), STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == 0) refused();
  static_cast<void>(owned.release());  // the thread's
  handle->thread = reinterpret_cast<HANDLE>(thread);
  handle_ = std::move(handle);
}

void Thread::join() {
  if (!handle_) return;
  WaitForSingleObject(handle_->thread, INFINITE);
  CloseHandle(handle_->thread);
  handle_.reset();
}

#else

struct Thread::Handle {
  pthread_t thread;
};

Thread::Thread(std::function<void()> work, size_t stack_bytes) {
  auto owned = std::make_unique<Work>(std::move(work));
  std::unique_ptr<Handle, Delete> handle(new Handle{});
  // A multiple of the page, which macOS insists on.
  const auto page = static_cast<size_t>(std::max(4096L, sysconf(_SC_PAGESIZE)));
  const size_t least = std::max(stack_bytes, static_cast<size_t>(PTHREAD_STACK_MIN));
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) refused();
  const int wrong = pthread_attr_setstacksize(&attributes, (least + page - 1) / page * page) != 0 ||
                    pthread_create(
                        &handle->thread, &attributes,
                        [](void* given) -> void* {
                          run(given);
                          return nullptr;
                        },
                        owned.get()) != 0;
  pthread_attr_destroy(&attributes);
  if (wrong) refused();
  static_cast<void>(owned.release());  // the thread's
  handle_ = std::move(handle);
}

void Thread::join() {
  if (!handle_) return;
  pthread_join(handle_->thread, nullptr);
  handle_.reset();
}

#endif

void Thread::Delete::operator()(Handle* handle) const { delete handle; }

Thread::Thread(Thread&& other) noexcept = default;

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this == &other) return *this;
  join();
  handle_ = std::move(other.handle_);
  return *this;
}

}  // namespace qwen3_embed
