#include "core/train/work.h"

#include "core/train/rows.h"

namespace qwen3_embed::train {

Work::Work(Crew& crew, const TrainedWeights& weights, const Abort& abort)
    : crew_(crew),
      weights_(weights),
      abort_(abort),
      scratch_(kernels::kAttentionScratch * static_cast<size_t>(crew.n_threads())) {
  for (int i = 0; i < crew.n_threads() && weights.uses_ggml(); ++i)
    ggml_.push_back(std::make_unique<GgmlWorker>());
}

// Rows in the forms that these products take. Valid until the next call.
const Inputs& Work::store(const std::vector<const Product*>& products, const float* x,
                          int64_t n_rows, int64_t n_in) {
  unsigned forms = 0;
  for (const Product* product : products) {
    if (product != nullptr) forms |= 1u << static_cast<unsigned>(product->form());
  }
  const auto found = inputs_.try_emplace(forms, kernel(), n_in);
  Inputs& inputs = found.first->second;
  for (const Product* product : products) {
    if (product != nullptr) inputs.ask_for(product->form());
  }
  inputs.resize(n_rows, n_in);
  each_row(n_rows, [&](int64_t row, int) { inputs.store(x + row * n_in, row); });
  return inputs;
}

void Work::forward(const TrainedProduct& product, const float* x, int64_t n_rows,
                   const float* added, float* y, float* h) {
  const Inputs& inputs = store({product.forward.get(), product.a.get()}, x, n_rows, product.n_in);
  const int64_t rank = weights_.padded_rank();
  std::vector<Task> tasks = {{product.forward.get(), {y, product.n_out, added, product.n_out}}};
  if (product.part != nullptr) tasks.push_back({product.a.get(), {h, rank, nullptr, 0}});
  multiply(inputs, tasks);
  if (product.part == nullptr) return;
  multiply(store({product.b.get()}, h, n_rows, rank),
           {{product.b.get(), {y, product.n_out, y, product.n_out}}});
}

void Work::lower(const TrainedProduct& product, const float* x, int64_t n_rows, float* h) {
  multiply(store({product.a.get()}, x, n_rows, product.n_in),
           {{product.a.get(), {h, weights_.padded_rank(), nullptr, 0}}});
}

void Work::backward(const TrainedProduct& product, const float* x, const float* h, const float* dy,
                    int64_t n_rows, bool adds, float* dx, Lora& lora) {
  const LoraPart* part = product.part;
  if (dx == nullptr && part == nullptr) return;
  const int64_t rank = weights_.padded_rank(), n_in = product.n_in, n_out = product.n_out;
  dh_.reserve(float_bytes(n_rows, rank));
  float* dh = dh_.floats();
  const Inputs& inputs = store(
      {dx != nullptr ? product.backward.get() : nullptr, product.b_back.get()}, dy, n_rows, n_out);
  std::vector<Task> tasks;
  if (dx != nullptr)
    tasks.push_back({product.backward.get(), {dx, n_in, adds ? dx : nullptr, n_in}});
  if (part != nullptr) tasks.push_back({product.b_back.get(), {dh, rank, nullptr, 0}});
  multiply(inputs, tasks);
  if (part == nullptr) return;
  if (dx != nullptr) {
    multiply(store({product.a_back.get()}, dh, n_rows, rank),
             {{product.a_back.get(), {dx, n_in, dx, n_in}}});
  }
  constexpr int64_t kOutputs = 32, kInputs = 128;
  const int64_t n_b = (n_out + kOutputs - 1) / kOutputs, n_a = (n_in + kInputs - 1) / kInputs;
  float *to_a = lora.gradients.data() + part->a, *to_b = lora.gradients.data() + part->b;
  crew_.each(n_a + n_b, abort_, [&](int64_t item, int) {
    if (item < n_b) {
      const int64_t begin = item * kOutputs, end = std::min(n_out, begin + kOutputs);
      add_outer(dy, n_out, h, rank, n_rows, lora.scale(), begin, end, lora.rank(), to_b,
                lora.rank());
    } else {
      const int64_t begin = (item - n_b) * kInputs, end = std::min(n_in, begin + kInputs);
      add_outer_columns(dh, rank, x, n_in, n_rows, lora.rank(), begin, end, to_a, n_in);
    }
  });
}

const float* Work::angles(int32_t n_positions) {
  const Network& net = network();
  const auto dim = static_cast<size_t>(net.head_dim);
  const size_t n_known = angles_.size() / dim;
  if (n_known < static_cast<size_t>(n_positions)) {
    angles_.resize(static_cast<size_t>(n_positions) * dim);
    const float* factors = net.rope_factors.empty() ? nullptr : net.rope_factors.data();
    for (size_t i = n_known; i < static_cast<size_t>(n_positions); ++i)
      kernels::rope_angles(static_cast<int64_t>(i), net.head_dim, net.rope_theta, factors,
                           angles_.data() + i * dim);
  }
  return angles_.data();
}

}  // namespace qwen3_embed::train
