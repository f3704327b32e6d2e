// The packed engine's weights on their way to a device.
#include <algorithm>
#include <new>

#include "core/failure.h"
#include "core/graph/graph_forward.h"
#include "core/machine/backends.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

// Rows that go through a layer together on a device with memory of its own.
constexpr int kTile = 2048;
constexpr int kMaxSequences = 4096;

}  // namespace

PackedGraph::PackedGraph(const Gguf& file, const Facts& facts, const PackedOptions& options)
    : facts_(facts),
      n_embd_(facts.n_embd),
      n_kv_(int64_t{facts.n_head_kv} * facts.head_dim),
      tile_(options.tile > 0 ? options.tile : kTile),
      weights_(file, facts) {
  if (options.ranks) head_ = RankHead(weights_, options.yes, options.no);
  set_up_backend(options);
  load(options);
  allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_.get())));
  limits_.n_embd = facts.n_embd;
  limits_.max_tokens = options.max_tokens;
  limits_.budget = options.budget;
  limits_.max_sequences = kMaxSequences;
  limits_.shares_prefixes = true;
  limits_.device = ggml_backend_dev_name(ggml_backend_get_device(backend_.get()));
  limits_.kernels = "ggml";
}

void PackedGraph::set_up_backend(const PackedOptions& options) {
  ggml_backend_dev_t device = options.device ? options.device : cpu_device();
  backend_.reset(device ? ggml_backend_dev_init(device, nullptr) : nullptr);
  if (!backend_) {
    throw Failure{Code::gpu_unavailable,
                  "The device could not be started: " + take_llama_log() +
                      ". Load the model with gpu: false.",
                  {}};
  }
  ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
  auto function = [&](const char* name) {
    return ggml_backend_reg_get_proc_address(registry, name);
  };
  // Both exist on the CPU only.
  if (void* set = function("ggml_backend_set_n_threads")) {
    reinterpret_cast<ggml_backend_set_n_threads_t>(set)(backend_.get(), options.n_threads);
  }
  if (void* set = function("ggml_backend_set_abort_callback")) {
    const ggml_abort_callback asks = [](void* self) {
      const Abort* abort = static_cast<PackedGraph*>(self)->abort_;
      return abort != nullptr && *abort && (*abort)();
    };
    reinterpret_cast<ggml_backend_set_abort_callback_t>(set)(backend_.get(), asks, this);
  }
}

void PackedGraph::load(const PackedOptions& options) {
  const size_t n_tensors = weights_.layers().size() * 11 + 1;
  context_.reset(ggml_init({ggml_tensor_overhead() * n_tensors, nullptr, true}));
  if (!context_) throw std::bad_alloc();
  std::vector<std::pair<ggml_tensor*, const void*>> uploads;
  auto vector = [&](const Vector& values) {
    ggml_tensor* tensor =
        ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, static_cast<int64_t>(values.size()));
    uploads.emplace_back(tensor, values.data());
    return tensor;
  };
  auto matrix = [&](const WeightMatrix& weights) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context_.get(), static_cast<ggml_type>(weights.type),
                                             weights.n_in, weights.n_out);
    uploads.emplace_back(tensor, weights.data);
    return tensor;
  };
  for (const LayerWeights& from : weights_.layers()) {
    Layer layer;
    layer.attn_norm = vector(from.attn_norm);
    layer.wq = matrix(from.wq);
    layer.wk = matrix(from.wk);
    layer.wv = matrix(from.wv);
    layer.q_norm = vector(from.q_norm);
    layer.k_norm = vector(from.k_norm);
    layer.wo = matrix(from.wo);
    layer.ffn_norm = vector(from.ffn_norm);
    layer.gate = matrix(from.gate);
    layer.up = matrix(from.up);
    layer.down = matrix(from.down);
    layers_.push_back(layer);
  }
  output_norm_ = vector(weights_.output_norm());
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend_.get()));
  if (!buffer_) throw std::bad_alloc();
  ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);

  size_t n_done = 0;
  for (const auto& [tensor, data] : uploads) {
    if (options.abort_load && options.abort_load())
      throw Failure{Code::aborted, "Loading was aborted.", {}};
    ggml_backend_tensor_set(tensor, data, 0, ggml_nbytes(tensor));
    if (tensor->type != GGML_TYPE_F32)
      weights_.release(static_cast<const uint8_t*>(data), ggml_nbytes(tensor));
    if (options.on_progress)
      options.on_progress(static_cast<double>(++n_done) / static_cast<double>(uploads.size()));
  }
  check_types();
}

// Not every device multiplies every type; better said now than in the middle of a pass.
void PackedGraph::check_types() const {
  ggml_context_ptr context(
      ggml_init({ggml_tensor_overhead() * 4 * layers_.size() * 7, nullptr, true}));
  if (!context) throw std::bad_alloc();
  for (const Layer& layer : layers_) {
    for (ggml_tensor* weights :
         {layer.wq, layer.wk, layer.wv, layer.wo, layer.gate, layer.up, layer.down}) {
      ggml_tensor* x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, weights->ne[0], 64);
      if (ggml_backend_supports_op(backend_.get(), ggml_mul_mat(context.get(), weights, x)))
        continue;
      throw Failure{Code::model_unsupported,
                    std::string(ggml_backend_name(backend_.get())) +
                        " cannot multiply weights of type " + ggml_type_name(weights->type) +
                        ". Use a file of another quantisation, or gpu: false.",
                    {}};
    }
  }
}

// The hidden state, keys and values of a long pack.
void PackedGraph::reserve(int32_t n_rows) {
  if (n_rows <= n_state_rows_) return;
  n_state_rows_ = 0;
  state_buffer_.reset();
  state_context_.reset(ggml_init({ggml_tensor_overhead() * 3, nullptr, true}));
  if (!state_context_) throw std::bad_alloc();
  hidden_ = ggml_new_tensor_2d(state_context_.get(), GGML_TYPE_F32, n_embd_, n_rows);
  k_ = ggml_new_tensor_2d(state_context_.get(), GGML_TYPE_F32, n_kv_, n_rows);
  v_ = ggml_new_tensor_2d(state_context_.get(), GGML_TYPE_F32, n_kv_, n_rows);
  state_buffer_.reset(ggml_backend_alloc_ctx_tensors(state_context_.get(), backend_.get()));
  if (!state_buffer_) throw std::bad_alloc();
  n_state_rows_ = n_rows;
}

}  // namespace qwen3_embed
