#include "core/graph/graph_weights.h"

#include <cmath>
#include <cstring>
#include <new>

#include "core/failure.h"
#include "core/machine/memory.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

ggml_tensor* empty(ggml_context* context, const WeightMatrix& matrix, ggml_type type) {
  return ggml_new_tensor_2d(context, type, matrix.n_in, matrix.n_out);
}

ggml_context_ptr small_context() {
  ggml_context_ptr context(ggml_init({ggml_tensor_overhead() * 3, nullptr, true}));
  if (!context) throw std::bad_alloc();
  return context;
}

bool can_look_up(const WeightMatrix& matrix, const Device& device) {
  const ggml_context_ptr context = small_context();
  ggml_tensor* ids = ggml_new_tensor_1d(context.get(), GGML_TYPE_I32, 16);
  ggml_tensor* rows = empty(context.get(), matrix, static_cast<ggml_type>(matrix.type));
  return device.supports(ggml_get_rows(context.get(), rows, ids));
}

bool can_multiply(const WeightMatrix& matrix, ggml_type type, const Device& device) {
  const ggml_context_ptr context = small_context();
  ggml_tensor* x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, matrix.n_in, 16);
  return device.supports(ggml_mul_mat(context.get(), empty(context.get(), matrix, type), x));
}

// What a matrix is on the device.
ggml_type type_of(const WeightMatrix& matrix, DeviceWeights wanted, bool is_down,
                  const Device& device) {
  switch (wanted) {
    case DeviceWeights::file:
      return static_cast<ggml_type>(matrix.type);
    case DeviceWeights::bf16:
      return GGML_TYPE_BF16;
    case DeviceWeights::f16:
      break;
  }
  // cuBLAS gives products of halves as halves, and those of feed-forward blocks leave their range.
  if (!is_down) return GGML_TYPE_F16;
  return can_multiply(matrix, GGML_TYPE_BF16, device) ? GGML_TYPE_BF16 : GGML_TYPE_F32;
}

// (n_out, n_in) of the file as `type`.
void convert_rows(const TensorFile& file, const WeightMatrix& matrix, ggml_type type, Buffer& out) {
  const auto n_in = static_cast<size_t>(matrix.n_in);
  const size_t row_bytes = ggml_row_size(type, matrix.n_in);
  std::vector<uint8_t> bytes;
  Vector row(n_in);
  for (int64_t i = 0; i < matrix.n_out; ++i) {
    read_row(file, matrix, i, bytes, row.data());
    auto* to = static_cast<uint8_t*>(out.data()) + static_cast<size_t>(i) * row_bytes;
    if (type == GGML_TYPE_F32) {
      std::memcpy(to, row.data(), row_bytes);
    } else if (type == GGML_TYPE_BF16) {
      ggml_fp32_to_bf16_row(row.data(), reinterpret_cast<ggml_bf16_t*>(to), matrix.n_in);
    } else {
      constexpr float kMost = 65504;
      for (const float value : row) {
        if (std::abs(value) <= kMost) continue;
        throw Failure{Code::model_unsupported,
                      "The tensor " + matrix.name + " has a value that F16 cannot hold.",
                      {{"tensor", matrix.name}},
                      "Load with gpuWeights: 'bf16' or 'file'."};
      }
      ggml_fp32_to_fp16_row(row.data(), reinterpret_cast<ggml_fp16_t*>(to), matrix.n_in);
    }
  }
}

}  // namespace

// Makes tensors first and fills them once they have memory.
class GraphWeights::Source {
 public:
  Source(const TensorFile& file, ggml_context* context, const Device& device, DeviceWeights types)
      : file_(file), context_(context), device_(device), types_(types) {}

  ggml_tensor* vector(const Vector& values) {
    if (values.empty()) return nullptr;
    return floats(values, static_cast<int64_t>(values.size()), 1);
  }
  GraphNorm norm(const Norm& norm) { return {vector(norm.weight), vector(norm.bias)}; }

  ggml_tensor* matrix(const WeightMatrix& from, ggml_type type) {
    ggml_tensor* to = empty(context_, from, type);
    matrices_.emplace_back(to, &from);
    return to;
  }

  bool converts() const { return types_ != DeviceWeights::file; }

  // As the file has it.
  ggml_tensor* matrix(const WeightMatrix& from) {
    return matrix(from, static_cast<ggml_type>(from.type));
  }

  GraphLinear linear(const Linear& from, bool is_down = false) {
    GraphLinear to;
    if (!from.present()) return to;
    const WeightMatrix& matrix = from.weight;
    to.weight = this->matrix(matrix, type_of(matrix, types_, is_down, device_));
    to.bias = vector(from.bias);
    for (const LowRank& adapter : from.adapters) {
      Vector b(adapter.b.size());
      for (int64_t o = 0; o < matrix.n_out; ++o) {
        for (int64_t r = 0; r < adapter.rank; ++r) {
          b[static_cast<size_t>(o * adapter.rank + r)] =
              adapter.scale *
              adapter.b[static_cast<size_t>(source_row(matrix, o) * adapter.rank + r)];
        }
      }
      to.adapters.push_back({floats(adapter.a, matrix.n_in, adapter.rank),
                             floats(std::move(b), adapter.rank, matrix.n_out),
                             adapter.queries_only});
    }
    return to;
  }

  void fill(Device& device, const Abort& abort,
            const std::function<void(double)>& on_progress) const {
    for (const auto& [tensor, values] : floats_)
      device.upload(tensor, values.data(), ggml_nbytes(tensor));
    Buffer bytes;
    size_t n_done = 0;
    for (const auto& [tensor, matrix] : matrices_) {
      if (abort && abort()) throw Failure{Code::aborted, "Loading was aborted.", {}};
      bytes.reserve(ggml_nbytes(tensor));
      if (tensor->type == static_cast<ggml_type>(matrix->type)) {
        read_rows(file_, *matrix, 0, matrix->n_out, bytes.data());
      } else {
        convert_rows(file_, *matrix, tensor->type, bytes);
      }
      device.upload(tensor, bytes.data(), ggml_nbytes(tensor));
      if (on_progress)
        on_progress(static_cast<double>(++n_done) / static_cast<double>(matrices_.size()));
    }
  }

 private:
  ggml_tensor* floats(Vector values, int64_t n0, int64_t n1) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context_, GGML_TYPE_F32, n0, n1);
    floats_.emplace_back(tensor, std::move(values));
    return tensor;
  }

  const TensorFile& file_;
  ggml_context* context_;
  const Device& device_;
  const DeviceWeights types_;
  std::vector<std::pair<ggml_tensor*, Vector>> floats_;
  std::vector<std::pair<ggml_tensor*, const WeightMatrix*>> matrices_;
};

namespace {

size_t n_tensors(const Network& network) {
  size_t n = 16;
  for (const Block& block : network.blocks) {
    n += 8;  // norms
    for (const Linear* linear :
         {&block.q, &block.k, &block.v, &block.out, &block.gate, &block.up, &block.down}) {
      n += 2 + 2 * linear->adapters.size();
    }
  }
  return n;
}

}  // namespace

GraphWeights::~GraphWeights() = default;

GraphWeights::GraphWeights(const Network& network, const Device& device, bool embeds,
                           DeviceWeights types) {
  context_.reset(ggml_init({ggml_tensor_overhead() * n_tensors(network), nullptr, true}));
  if (!context_) throw std::bad_alloc();
  source_ = std::make_unique<Source>(*network.file, context_.get(), device, types);
  Source& source = *source_;
  if (embeds && can_look_up(network.token_embd, device) &&
      (network.position_embd.n_out == 0 || can_look_up(network.position_embd, device))) {
    token_embd = source.matrix(network.token_embd);
    if (network.position_embd.n_out > 0) position_embd = source.matrix(network.position_embd);
    token_type = source.vector(network.token_type);
  }
  for (const Block& from : network.blocks) {
    GraphBlock to;
    to.attention_norm = source.norm(from.attention_norm);
    to.q = source.linear(from.q);
    to.k = source.linear(from.k);
    to.v = source.linear(from.v);
    to.q_norm = source.norm(from.q_norm);
    to.k_norm = source.norm(from.k_norm);
    to.out = source.linear(from.out);
    to.feed_forward_norm = source.norm(from.feed_forward_norm);
    to.gate = source.linear(from.gate);
    to.up = source.linear(from.up);
    to.down = source.linear(from.down, true);
    blocks.push_back(to);
  }
  embedding_norm = source.norm(network.embedding_norm);
  output_norm = source.norm(network.output_norm);
  rope_factors = source.vector(network.rope_factors);
}

void GraphWeights::fill(Device& device, const Abort& abort,
                        const std::function<void(double)>& on_progress) {
  // A driver may find room that it does not tell of; made larger by an option, weights do not ask.
  if (source_->converts()) {
    device.check_room(ggml_backend_alloc_ctx_tensors_from_buft_size(
        context_.get(), ggml_backend_get_default_buffer_type(device.backend())));
  }
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), device.backend()));
  if (!buffer_) throw std::bad_alloc();
  ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  source_->fill(device, abort, on_progress);
  source_.reset();
}

}  // namespace qwen3_embed
