// The packed engine: a forward pass that does the necessary work only. A pack is a trie of token
// runs; no lm_head, no KV cache, the last block for the rows that are read, inputs of any length
// tile by tile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/adapter/adapter.h"
#include "core/file/facts.h"
#include "core/road/forward.h"

struct ggml_backend_device;

namespace qwen3_embed {

// What a device multiplies with: the file's own types, or 16 bits made of them at load.
enum class DeviceWeights { file, bf16, f16 };

struct PackedOptions {
  int n_threads = 1;
  int n_crews = 1;  // that packs may be dealt to, these threads dealt out among them; 1: none apart
  int budget = 1024;
  int max_tokens = 32768;
  // Rows that go through a layer together. Changes memory and speed, never a bit. 0: the engine's
  // choice.
  int tile = 0;
  size_t prefix_bytes = 0;  // for prefixes that come again; 0: none is kept
  std::vector<Adapter> adapters;
  bool ranks = false;                     // whether Pooling::rank will be asked for
  std::string kernels = "auto";           // "auto", "ggml", or the name of one of ours
  ggml_backend_device* device = nullptr;  // null: the CPU
  DeviceWeights device_weights = DeviceWeights::file;
  // Runs the graph of ggml ops that GPUs run, on whatever `device` is. For tests.
  bool portable_graph = false;
  // Attention as one operation of the device's over 16-bit keys and values, where it has that.
  // Unsaid: on devices that are not the CPU.
  std::optional<bool> flash;
  // Short packs are filled up to a few sizes, and the graphs of those kept. Unsaid: likewise.
  std::optional<bool> pads;
  Token yes = -1, no = -1;  // for rankers without a head
  Abort abort_load;
  std::function<void(double fraction)> on_progress;
};

// Throws Failure: model_invalid, model_unsupported, out_of_memory, gpu_unavailable, aborted. Needs
// load_backends().
std::unique_ptr<Forward> make_packed(const Gguf& file, const Facts& facts,
                                     const PackedOptions& options);

}  // namespace qwen3_embed
