#include "core/graph/graph_weights.h"

#include <new>

#include "core/failure.h"
#include "core/machine/memory.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

ggml_tensor* empty(ggml_context* context, const WeightMatrix& matrix) {
  return ggml_new_tensor_2d(context, static_cast<ggml_type>(matrix.type), matrix.n_in,
                            matrix.n_out);
}

bool can_look_up(const WeightMatrix& matrix, ggml_backend_t backend) {
  ggml_context_ptr context(ggml_init({ggml_tensor_overhead() * 3, nullptr, true}));
  if (!context) throw std::bad_alloc();
  ggml_tensor* ids = ggml_new_tensor_1d(context.get(), GGML_TYPE_I32, 16);
  return ggml_backend_supports_op(backend,
                                  ggml_get_rows(context.get(), empty(context.get(), matrix), ids));
}

// Makes tensors first and fills them once they have memory.
class Uploads {
 public:
  Uploads(const TensorFile& file, ggml_context* context) : file_(file), context_(context) {}

  ggml_tensor* vector(const Vector& values) {
    if (values.empty()) return nullptr;
    return floats(values, static_cast<int64_t>(values.size()), 1);
  }
  GraphNorm norm(const Norm& norm) { return {vector(norm.weight), vector(norm.bias)}; }

  ggml_tensor* matrix(const WeightMatrix& from) {
    ggml_tensor* to = empty(context_, from);
    matrices_.emplace_back(to, &from);
    return to;
  }

  GraphLinear linear(const Linear& from) {
    GraphLinear to;
    if (!from.present()) return to;
    const WeightMatrix& matrix = from.weight;
    to.weight = this->matrix(matrix);
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

  void fill(const Abort& abort, const std::function<void(double)>& on_progress) {
    for (const auto& [tensor, values] : floats_)
      ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
    Buffer bytes;
    size_t n_done = 0;
    for (const auto& [tensor, matrix] : matrices_) {
      if (abort && abort()) throw Failure{Code::aborted, "Loading was aborted.", {}};
      bytes.reserve(ggml_nbytes(tensor));
      read_rows(file_, *matrix, 0, matrix->n_out, bytes.data());
      ggml_backend_tensor_set(tensor, bytes.data(), 0, ggml_nbytes(tensor));
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
  std::vector<std::pair<ggml_tensor*, Vector>> floats_;
  std::vector<std::pair<ggml_tensor*, const WeightMatrix*>> matrices_;
};

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

GraphWeights::GraphWeights(const Network& network, ggml_backend_t backend, bool embeds,
                           const Abort& abort, const std::function<void(double)>& on_progress) {
  context_.reset(ggml_init({ggml_tensor_overhead() * n_tensors(network), nullptr, true}));
  if (!context_) throw std::bad_alloc();
  Uploads uploads(*network.file, context_.get());
  if (embeds && can_look_up(network.token_embd, backend) &&
      (network.position_embd.n_out == 0 || can_look_up(network.position_embd, backend))) {
    token_embd = uploads.matrix(network.token_embd);
    if (network.position_embd.n_out > 0) position_embd = uploads.matrix(network.position_embd);
    token_type = uploads.vector(network.token_type);
  }
  for (const Block& from : network.blocks) {
    GraphBlock to;
    to.attention_norm = uploads.norm(from.attention_norm);
    to.q = uploads.linear(from.q);
    to.k = uploads.linear(from.k);
    to.v = uploads.linear(from.v);
    to.q_norm = uploads.norm(from.q_norm);
    to.k_norm = uploads.norm(from.k_norm);
    to.out = uploads.linear(from.out);
    to.feed_forward_norm = uploads.norm(from.feed_forward_norm);
    to.gate = uploads.linear(from.gate);
    to.up = uploads.linear(from.up);
    to.down = uploads.linear(from.down);
    blocks.push_back(to);
  }
  embedding_norm = uploads.norm(network.embedding_norm);
  output_norm = uploads.norm(network.output_norm);
  rope_factors = uploads.vector(network.rope_factors);
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend));
  if (!buffer_) throw std::bad_alloc();
  ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  uploads.fill(abort, on_progress);
}

}  // namespace qwen3_embed
