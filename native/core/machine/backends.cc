#include "core/machine/backends.h"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <set>
#include <utility>

#include "core/failure.h"
#include "ggml-backend.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

std::once_flag loaded;

// llama.cpp reports through this before it returns null; the last errors become part of our
// message.
std::mutex log_mutex;
std::string log_tail;

void keep_errors(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR) return;
  std::lock_guard<std::mutex> lock(log_mutex);
  log_tail += text;
  if (log_tail.size() > 1000) log_tail.erase(0, log_tail.size() - 1000);
}

bool starts_with_ignoring_case(const std::string& text, const std::string& prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(),
                                                    [](unsigned char a, unsigned char b) {
                                                      return std::tolower(a) == std::tolower(b);
                                                    });
}

}  // namespace

void load_backends(const std::string& folder) {
  std::call_once(loaded, [&] {
    llama_log_set(keep_errors, nullptr);
    ggml_log_set(keep_errors, nullptr);
    ggml_backend_load_all_from_path(folder.c_str());
    llama_backend_init();
  });
}

std::string take_llama_log() {
  std::lock_guard<std::mutex> lock(log_mutex);
  std::string tail = std::exchange(log_tail, {});
  while (!tail.empty() && std::isspace(static_cast<unsigned char>(tail.back()))) tail.pop_back();
  return tail;
}

void load_gpu_backend(const std::string& path) {
  static std::mutex mutex;
  static std::set<std::string> done;
  std::lock_guard<std::mutex> lock(mutex);
  if (done.count(path) != 0) return;
  ggml_backend_reg_t registry = ggml_backend_load(path.c_str());
  if (registry == nullptr) {
    throw Failure{
        Code::gpu_unavailable,
        "Expected a GPU backend at " + path +
            " but it could not be loaded: the GPU's driver or runtime libraries are missing.",
        {{"path", path}},
        "Install them, or load the model with gpu: false."};
  }
  if (ggml_backend_reg_dev_count(registry) == 0) {
    throw Failure{Code::gpu_unavailable,
                  "The GPU backend at " + path + " found no device on this machine.",
                  {{"path", path}},
                  "Load the model with gpu: false, or check the driver."};
  }
  done.insert(path);
}

void* cpu_function_address(const char* name) {
  ggml_backend_dev_t device = cpu_device();
  ggml_backend_reg_t registry = device ? ggml_backend_dev_backend_reg(device) : nullptr;
  return registry ? ggml_backend_reg_get_proc_address(registry, name) : nullptr;
}

ggml_backend_device* cpu_device() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

ggml_backend_device* gpu_device(const std::string& name) {
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
    if (type != GGML_BACKEND_DEVICE_TYPE_GPU && type != GGML_BACKEND_DEVICE_TYPE_IGPU) continue;
    const char* backend = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
    // Metal's registry calls itself MTL in recent ggml.
    const std::string wanted = name == "metal" ? "mtl" : name;
    if (starts_with_ignoring_case(backend, name) || starts_with_ignoring_case(backend, wanted)) {
      return device;
    }
  }
  return nullptr;
}

}  // namespace qwen3_embed
