// A device as graphs use it: what goes up, what is computed, what comes down, and how often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/machine/ggml_threads.h"
#include "core/road/forward.h"
#include "ggml-cpp.h"
#include "ggml.h"

namespace qwen3_embed {

class Device {
 public:
  // null: the CPU, with so many threads. Throws Failure gpu_unavailable.
  Device(ggml_backend_device* device, int n_threads);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  ggml_backend_t backend() const { return backend_.get(); }
  const std::string& name() const { return name_; }
  bool is_cuda() const { return is_cuda_; }
  // Throws Failure out_of_memory where the device says that it has no room for so much.
  void check_room(size_t n_bytes) const;
  bool supports(const ggml_tensor* operation) const;

  // Not into what a graph that was started reads.
  void upload(ggml_tensor* to, const void* values, size_t n_bytes);
  // Gives a graph's tensors memory of the allocator's. Throws std::bad_alloc.
  void allocate(ggml_gallocr_t allocator, ggml_cgraph* graph);
  // Begins a graph; what it does is done after wait(). A device whose driver has no queue computes
  // here. Throws Failure (aborted, compute), std::bad_alloc.
  void start(ggml_cgraph* graph, const Abort& abort);
  void wait();
  // Of what was started, then waits.
  void download(const ggml_tensor* from, void* values, size_t n_bytes);

  // What passes have cost besides arithmetic: for tests, where no device is.
  struct Traffic {
    int64_t n_nodes = 0;        // of graphs that were built
    int64_t n_allocations = 0;  // of graphs
    int64_t n_graphs = 0;       // started
    int64_t n_uploads = 0, n_bytes = 0;
    int64_t n_waits = 0;  // for an upload, a graph or a download
  };
  Traffic traffic;

 private:
  std::unique_ptr<GgmlThreads> threads_;  // of the backend, where that is the CPU
  ggml_backend_ptr backend_;
  std::string name_;
  bool is_cuda_ = false;
  const Abort* abort_ = nullptr;  // of the computation under way
};

}  // namespace qwen3_embed
