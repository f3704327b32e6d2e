#include "core/graph/graph_forward.h"

#include <algorithm>
#include <new>
#include <string_view>

#include "core/failure.h"
#include "core/graph/graph_pass.h"
#include "core/machine/backends.h"
#include "core/network/checks.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

// Rows that go through a block together, of packs that are not one graph as a whole.
constexpr int kTile = 2048;
constexpr int kMaxSequences = 4096;
// Without flash attention the scores of all heads of a tile are one tensor: no more values than
// this.
constexpr int64_t kMostScores = int64_t{1} << 26;

}  // namespace

GraphForward::GraphForward(std::shared_ptr<const Network> network, const PackedOptions& options)
    : network_(std::move(network)), tile_(options.tile) {
  if (options.ranks) head_ = RankHead(*network_, options.yes, options.no);
  set_up_backend(options);
  const bool embeds = options.device != nullptr || options.portable_graph;
  weights_ = std::make_unique<GraphWeights>(*network_, backend_.get(), embeds, options.abort_load,
                                            options.on_progress);
  allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_.get())));
  limits_.n_embd = network_->n_embd;
  limits_.max_tokens = options.max_tokens;
  limits_.budget = options.budget;
  limits_.max_sequences = kMaxSequences;
  limits_.shares_prefixes = network_->is_causal;
  limits_.tells_queries = network_->tells_queries();
  limits_.device = ggml_backend_dev_name(ggml_backend_get_device(backend_.get()));
  limits_.kernels = "ggml";
  choose_attention(options);
}

// Not every device can do every operation with every type; better said now than in the middle of a
// pass.
void GraphForward::choose_attention(const PackedOptions& options) {
  for (const bool flash : {true, false}) {
    if (flash && !options.flash.value_or(options.device != nullptr)) continue;
    flash_ = flash;
    blocks_ = std::make_unique<GraphBlocks>(*network_, *weights_, flash);
    const char* operation = unsupported_operation();
    if (operation == nullptr) return;
    if (flash) continue;
    throw Failure{Code::model_unsupported,
                  limits_.device + " cannot do " + operation + " with the weights of this file.",
                  {},
                  "Use a file of another quantisation, or gpu: false."};
  }
}

const char* GraphForward::unsupported_operation() {
  // Of two lengths, so that every kind of node is there.
  const Sequence longer{{0, 0, 0, 0, 0}}, shorter{{1, 0}};
  const std::vector<const Sequence*> sequences = {&longer, &shorter};
  GraphPass trial(*this, Pack{sequences, Pooling::last});
  const Draft draft = trial.whole();
  for (int i = 0; i < ggml_graph_n_nodes(draft.graph); ++i) {
    ggml_tensor* node = ggml_graph_node(draft.graph, i);
    if (!ggml_backend_supports_op(backend_.get(), node)) return ggml_op_desc(node);
  }
  return nullptr;
}

StreamRules GraphForward::stream_rules() const {
  // CUDA's fast kernels want 256 keys or a multiple, and find a stream's mask by its number.
  return {network_->is_causal, flash_ ? 256 : 1, is_cuda_};
}

void GraphForward::set_up_backend(const PackedOptions& options) {
  ggml_backend_dev_t device = options.device ? options.device : cpu_device();
  backend_.reset(device ? ggml_backend_dev_init(device, nullptr) : nullptr);
  if (!backend_) {
    throw Failure{Code::gpu_unavailable,
                  "The device could not be started: " + take_llama_log() + ".",
                  {},
                  "Load the model with gpu: false."};
  }
  ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
  is_cuda_ = std::string_view(ggml_backend_reg_name(registry)) == "CUDA";
  auto function = [&](const char* name) {
    return ggml_backend_reg_get_proc_address(registry, name);
  };
  // Both exist on the CPU only.
  if (void* set = function("ggml_backend_set_n_threads")) {
    reinterpret_cast<ggml_backend_set_n_threads_t>(set)(backend_.get(), options.n_threads);
    threads_ = std::make_unique<GgmlThreads>(options.n_threads);
    threads_->serve(backend_.get());
  }
  if (void* set = function("ggml_backend_set_abort_callback")) {
    const ggml_abort_callback asks = [](void* self) {
      const Abort* abort = static_cast<GraphForward*>(self)->abort_;
      return abort != nullptr && *abort && (*abort)();
    };
    reinterpret_cast<ggml_backend_set_abort_callback_t>(set)(backend_.get(), asks, this);
  }
}

int32_t GraphForward::tile_rows(int32_t n_rows) const {
  // The budget says for how many rows a device has memory.
  const int whole = std::max(kTile, limits_.budget);
  if (flash_) return tile_ > 0 ? tile_ : n_rows <= whole ? whole : kTile;
  const int64_t fit = kMostScores / (int64_t{network_->n_head} * n_rows);
  return static_cast<int32_t>(std::clamp<int64_t>(fit, 1, tile_ > 0 ? tile_ : kTile));
}

std::unique_ptr<Pass> GraphForward::begin(const Pack& pack) {
  check_pack(pack, limits_, network_->token_embd.n_out, head_);
  try {
    return std::make_unique<GraphPass>(*this, pack);
  } catch (const std::bad_alloc&) {
    throw out_of_memory(n_tokens(pack));
  }
}

void GraphForward::compute(Draft& draft, const Abort& abort) {
  if (abort && abort()) throw Failure{Code::aborted, "The pass was aborted.", {}};
  if (!ggml_gallocr_alloc_graph(allocator_.get(), draft.graph)) throw std::bad_alloc();
  // An input that no step reads, such as the first mask of a model with one block, has no memory.
  auto fill = [&](const auto& inputs) {
    for (const auto& [tensor, values] : inputs) {
      if (tensor->buffer == nullptr) continue;
      const size_t n_bytes = values.size() * sizeof(values[0]);
      ggml_backend_tensor_set(tensor, values.data(), 0, n_bytes);
      ++traffic_.n_uploads;
      traffic_.n_bytes += static_cast<int64_t>(n_bytes);
    }
  };
  ++traffic_.n_graphs;
  traffic_.n_nodes += ggml_graph_n_nodes(draft.graph);
  fill(draft.floats);
  fill(draft.halves);
  fill(draft.integers);
  abort_ = &abort;
  const ggml_status status = ggml_backend_graph_compute(backend_.get(), draft.graph);
  abort_ = nullptr;
  switch (status) {
    case GGML_STATUS_SUCCESS:
      return;
    case GGML_STATUS_ABORTED:
      throw Failure{Code::aborted, "The pass was aborted.", {}};
    case GGML_STATUS_ALLOC_FAILED:
      throw std::bad_alloc();
    default:
      throw Failure{Code::compute,
                    limits_.device + " failed with status " + std::to_string(status) + ": " +
                        take_llama_log() + ".",
                    {{"status", static_cast<int64_t>(status)}},
                    "Load the model with gpu: false."};
  }
}

void GraphForward::add(const ForwardTimes& times) {
  times_.n_packs += times.n_packs;
  times_.n_tokens += times.n_tokens;
  times_.n_tokens_run += times.n_tokens_run;
  times_.products_ms += times.products_ms;
}

}  // namespace qwen3_embed
