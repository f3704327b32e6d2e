// The generic engine: llama_decode, for every architecture llama.cpp embeds or ranks with. Slow and
// general; the oracle for the packed one.
#pragma once

#include <memory>
#include <vector>

#include "core/adapter/adapter.h"
#include "core/file/facts.h"
#include "core/road/forward.h"

struct ggml_backend_device;
struct llama_model;

namespace qwen3_embed {

struct GenericOptions {
  int n_threads;
  int budget;
  int max_tokens;
  ggml_backend_device* gpu = nullptr;  // null: CPU
  Token yes = -1, no = -1;             // for rankers without a head
  std::vector<Adapter> adapters;
  Abort abort_load;
  std::function<void(double fraction)> on_progress;
};

std::shared_ptr<llama_model> load_llama_model(const Gguf& file, const GenericOptions& options);

std::unique_ptr<Forward> make_generic(std::shared_ptr<llama_model> model, const Facts& facts,
                                      const GenericOptions& options);

}  // namespace qwen3_embed
