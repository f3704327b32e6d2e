// ggml's backends are shared libraries found at run time; this is where they are loaded, once a
// process.
#pragma once

#include <string>

struct ggml_backend_device;

namespace qwen3_embed {

// Loads the CPU backend that suits this machine from `folder`. Later calls do nothing.
void load_backends(const std::string& folder);

// Loads a GPU backend from the shared library at `path`; throws Failure gpu_unavailable if it will
// not load or finds no device.
void load_gpu_backend(const std::string& path);

ggml_backend_device* cpu_device();
// The CPU backend is a library loaded at run time, so its own functions are asked for by name. Null
// if it has none of this name.
void* cpu_function_address(const char* name);
template <typename Function>
Function* cpu_function(const char* name) {
  return reinterpret_cast<Function*>(cpu_function_address(name));
}

// The first GPU device whose backend's name starts with `name` ("cuda", "vulkan", "metal"); null if
// there is none.
ggml_backend_device* gpu_device(const std::string& name);

// What llama.cpp and ggml have said at error level since the last call: the reason behind a null
// pointer.
std::string take_llama_log();

}  // namespace qwen3_embed
