#include "core/cpu/product.h"

#include <algorithm>
#include <cstring>

#include "core/cpu/ggml_product.h"
#include "core/failure.h"

namespace qwen3_embed {
namespace {

// Enough parts that a thread which comes late, or is set aside by the system, leaves the others
// something to do.
constexpr int64_t kPartsPerThread = 8;

class KernelProduct final : public Product {
 public:
  KernelProduct(const kernels::Kernels& kernels, kernels::WeightType type, int64_t n_out,
                int64_t n_in)
      : Product(n_in, n_out),
        kernels_(kernels),
        packed_(kernels.packed_bytes(type, n_out, n_in)),
        weights_{type, n_out, n_in, packed_.data()} {}

  void pack(const TensorFile& file, const WeightMatrix& matrix, Crew& crew, const Abort& abort) {
    constexpr int64_t kPanelsAtOnce = 8;
    const int64_t panel = kernels_.panel, n_panels = (n_out_ + panel - 1) / panel;
    const size_t row_bytes = matrix.row_bytes();
    std::vector<Buffer> source(static_cast<size_t>(crew.n_threads()));
    crew.each((n_panels + kPanelsAtOnce - 1) / kPanelsAtOnce, abort, [&](int64_t item, int worker) {
      const int64_t begin = item * kPanelsAtOnce, end = std::min(n_panels, begin + kPanelsAtOnce);
      const int64_t first = begin * panel, n = std::min(n_out_, end * panel) - first;
      Buffer& rows = source[static_cast<size_t>(worker)];
      rows.reserve(static_cast<size_t>(n) * row_bytes);
      read_rows(file, matrix, first, n, rows.data());
      kernels_.pack(weights_.type, rows.data(), n_out_, n_in_, begin, end, packed_.data());
    });
  }

  void pack(const void* rows) {
    const int64_t panel = kernels_.panel;
    kernels_.pack(weights_.type, rows, n_out_, n_in_, 0, (n_out_ + panel - 1) / panel,
                  packed_.data());
  }

  kernels::RowFormat form() const override { return kernels_.row_format(weights_.type); }
  const kernels::Weights* weights() const override { return &weights_; }

  int64_t n_parts(int64_t n_rows, int n_threads) const override {
    // A part below some ten thousand multiplications per thread is not worth handing out.
    constexpr int64_t kLeastWork = 1 << 16;
    const int64_t panel = kernels_.panel;
    const int64_t most = std::max<int64_t>(1, n_rows * n_in_ * n_out_ / kLeastWork);
    return std::min({most, (n_out_ + panel - 1) / panel, int64_t{n_threads} * kPartsPerThread});
  }

  void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                GgmlWorker*) const override {
    kernels_.matmul(weights_, inputs.rows(form()), output.rows, output.stride, output.added,
                    output.added_stride, static_cast<int>(i_part), static_cast<int>(n_parts));
  }

 private:
  const kernels::Kernels& kernels_;
  Buffer packed_;
  kernels::Weights weights_;
};

}  // namespace

ProductMaker::ProductMaker(const std::string& kernels, std::shared_ptr<const TensorFile> file)
    : kernels_(kernels == "auto" || kernels == "ggml" ? kernels::best()
                                                      : kernels::find(kernels.c_str())),
      only_ggml_(kernels == "ggml"),
      file_(std::move(file)) {
  if (kernels_ != nullptr) {
    // Where none of our instruction sets is there (a processor of some age), ggml's products are
    // the faster ones.
    if (kernels == "auto" && std::strcmp(kernels_->name, "portable") == 0) only_ggml_ = true;
    return;
  }
  std::string names = "auto, ggml";
  for (int i = 0; kernels::available(i) != nullptr; ++i) {
    names += std::string(", ") + kernels::available(i)->name;
  }
  throw Failure{Code::model_unsupported,
                "This processor cannot run the kernels '" + kernels + "'.",
                {{"kernels", kernels}},
                "Use one of: " + names + "."};
}

std::unique_ptr<Product> ProductMaker::make(const WeightMatrix& matrix, Crew& crew,
                                            const Abort& abort) {
  if (only_ggml_ || !kernels_->packable(static_cast<uint32_t>(matrix.type), matrix.n_in)) {
    ++n_by_ggml_;
    return std::make_unique<GgmlProduct>(*file_, matrix);
  }
  ++n_by_kernels_;
  auto product = std::make_unique<KernelProduct>(
      *kernels_, static_cast<kernels::WeightType>(matrix.type), matrix.n_out, matrix.n_in);
  product->pack(*file_, matrix, crew, abort);
  return product;
}

std::unique_ptr<Product> ProductMaker::make(const float* weights, int64_t n_out, int64_t n_in) {
  return make(kernels::WeightType::kF32, weights, n_out, n_in);
}

std::unique_ptr<Product> ProductMaker::make(kernels::WeightType type, const void* rows,
                                            int64_t n_out, int64_t n_in) {
  auto product = std::make_unique<KernelProduct>(*kernels_, type, n_out, n_in);
  product->pack(rows);
  return product;
}

std::string ProductMaker::name() const {
  if (n_by_kernels_ == 0) return "ggml";
  return n_by_ggml_ == 0 ? kernels_->name : std::string(kernels_->name) + " and ggml";
}

void run_products(Crew& crew, const Abort& abort, const GgmlWorkers& ggml, const Inputs& inputs,
                  const std::vector<Task>& tasks) {
  constexpr size_t kMostTasks = 4;
  int64_t ends[kMostTasks] = {};
  int64_t n_items = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    n_items += tasks[i].product->n_parts(inputs.n_rows(), crew.n_threads());
    ends[i] = n_items;
  }
  crew.each(n_items, abort, [&](int64_t item, int worker) {
    size_t i = 0;
    while (item >= ends[i]) ++i;
    const int64_t begin = i > 0 ? ends[i - 1] : 0;
    tasks[i].product->run_part(inputs, tasks[i].output, item - begin, ends[i] - begin,
                               ggml.empty() ? nullptr : ggml[static_cast<size_t>(worker)].get());
  });
}

bool run_swiglu(Crew& crew, const Abort& abort, const Inputs& inputs, const Product& gate,
                const Product& up, const Inputs& to) {
  const kernels::Weights *gates = gate.weights(), *values = up.weights();
  const auto multiply = inputs.kernels().matmul_swiglu;
  const kernels::RowFormat form = gate.form();
  const bool has_bf16 = form == kernels::RowFormat::kBf16 || form == kernels::RowFormat::kBf16Sums;
  if (multiply == nullptr || !has_bf16 || gates == nullptr || values == nullptr ||
      gates->type != values->type || !to.asked_only(form)) {
    return false;
  }
  const int64_t n_parts = gate.n_parts(2 * inputs.n_rows(), crew.n_threads());
  crew.each(n_parts, abort, [&](int64_t part, int) {
    multiply(*gates, *values, inputs.rows(form), to.rows(form), static_cast<int>(part),
             static_cast<int>(n_parts));
  });
  return true;
}

}  // namespace qwen3_embed
