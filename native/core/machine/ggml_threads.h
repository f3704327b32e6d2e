// Threads of ggml's, made once for all graphs. Left to itself ggml makes some for every graph, and
// asserts where the system refuses one.
#pragma once

struct ggml_backend;
struct ggml_threadpool;

namespace qwen3_embed {

class GgmlThreads {
 public:
  // Throws Failure out_of_memory where the system refuses that many.
  explicit GgmlThreads(int n_threads);
  ~GgmlThreads();
  GgmlThreads(const GgmlThreads&) = delete;
  GgmlThreads& operator=(const GgmlThreads&) = delete;

  // Null where the CPU backend has no pools.
  ggml_threadpool* pool() const { return pool_; }
  // For graphs that a backend of the CPU computes; it outlives none of them.
  void serve(ggml_backend* cpu) const;

 private:
  ggml_threadpool* pool_ = nullptr;
};

}  // namespace qwen3_embed
