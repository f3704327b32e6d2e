#include "core/graph/device.h"

#include <new>
#include <string_view>

#include "core/failure.h"
#include "core/machine/backends.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"

namespace qwen3_embed {

Device::Device(ggml_backend_device* device, int n_threads) {
  if (device == nullptr) device = cpu_device();
  backend_.reset(device ? ggml_backend_dev_init(device, nullptr) : nullptr);
  if (!backend_) {
    throw Failure{Code::gpu_unavailable,
                  "The device could not be started: " + take_llama_log() + ".",
                  {},
                  "Load the model with gpu: false."};
  }
  name_ = ggml_backend_dev_name(device);
  ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
  is_cuda_ = std::string_view(ggml_backend_reg_name(registry)) == "CUDA";
  auto function = [&](const char* name) {
    return ggml_backend_reg_get_proc_address(registry, name);
  };
  // Both exist on the CPU only.
  if (void* set = function("ggml_backend_set_n_threads")) {
    reinterpret_cast<ggml_backend_set_n_threads_t>(set)(backend_.get(), n_threads);
    threads_ = std::make_unique<GgmlThreads>(n_threads);
    threads_->serve(backend_.get());
  }
  if (void* set = function("ggml_backend_set_abort_callback")) {
    const ggml_abort_callback asks = [](void* self) {
      const Abort* abort = static_cast<Device*>(self)->abort_;
      return abort != nullptr && *abort && (*abort)();
    };
    reinterpret_cast<ggml_backend_set_abort_callback_t>(set)(backend_.get(), asks, this);
  }
}

void Device::check_room(size_t n_bytes) const {
  ggml_backend_dev_t device = ggml_backend_get_device(backend_.get());
  if (ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_GPU) return;
  size_t n_free = 0, n_total = 0;
  ggml_backend_dev_memory(device, &n_free, &n_total);
  if (n_free == 0 || n_bytes <= n_free) return;
  throw Failure{Code::out_of_memory,
                "The weights take " + std::to_string(n_bytes >> 20) + " MiB on " + name_ +
                    ", where " + std::to_string(n_free >> 20) + " MiB are free.",
                {{"needed", static_cast<int64_t>(n_bytes)}, {"free", static_cast<int64_t>(n_free)}},
                "Load with gpuWeights: 'file', or use a smaller model."};
}

bool Device::supports(const ggml_tensor* operation) const {
  return ggml_backend_supports_op(backend_.get(), operation);
}

void Device::upload(ggml_tensor* to, const void* values, size_t n_bytes) {
  ggml_backend_tensor_set(to, values, 0, n_bytes);
  ++traffic.n_uploads;
  ++traffic.n_waits;
  traffic.n_bytes += static_cast<int64_t>(n_bytes);
}

void Device::allocate(ggml_gallocr_t allocator, ggml_cgraph* graph) {
  ++traffic.n_allocations;
  if (!ggml_gallocr_alloc_graph(allocator, graph)) throw std::bad_alloc();
}

void Device::start(ggml_cgraph* graph, const Abort& abort) {
  if (abort && abort()) throw Failure{Code::aborted, "The pass was aborted.", {}};
  ++traffic.n_graphs;
  abort_ = &abort;
  const ggml_status status = ggml_backend_graph_compute_async(backend_.get(), graph);
  abort_ = nullptr;
  if (status != GGML_STATUS_SUCCESS) ggml_backend_synchronize(backend_.get());
  switch (status) {
    case GGML_STATUS_SUCCESS:
      return;
    case GGML_STATUS_ABORTED:
      throw Failure{Code::aborted, "The pass was aborted.", {}};
    case GGML_STATUS_ALLOC_FAILED:
      throw std::bad_alloc();
    default:
      throw Failure{
          Code::compute,
          name_ + " failed with status " + std::to_string(status) + ": " + take_llama_log() + ".",
          {{"status", static_cast<int64_t>(status)}},
          "Load the model with gpu: false."};
  }
}

void Device::wait() {
  ++traffic.n_waits;
  ggml_backend_synchronize(backend_.get());
}

void Device::download(const ggml_tensor* from, void* values, size_t n_bytes) {
  ggml_backend_tensor_get_async(backend_.get(), from, values, 0, n_bytes);
  wait();
}

}  // namespace qwen3_embed
