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
// Threads get their parts one after the other, and the more there are the longer each waits: then
// fewer parts, and larger ones. What suits how many was found by bench/crews.
constexpr int kManyThreads = 16, kVeryMany = 64;

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
  int64_t n_bytes() const override { return static_cast<int64_t>(packed_.n_bytes()); }

  int64_t n_parts(int64_t n_rows, int n_threads) const override {
    const int step = n_threads <= kManyThreads ? 0 : n_threads <= kVeryMany ? 1 : 2;
    // Some microseconds: less is not worth handing out.
    const int64_t least_work = int64_t{1} << (18 + 2 * step);
    const int64_t panel = kernels_.panel, n_panels = (n_out_ + panel - 1) / panel;
    const int64_t most = std::max<int64_t>(1, n_rows * n_in_ * n_out_ / least_work);
    return std::min({most, n_panels * row_pieces(n_rows), n_threads * (kPartsPerThread >> step)});
  }

  void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                GgmlWorker*) const override {
    kernels_.matmul(weights_, inputs.rows(form()), output.rows, output.stride, output.added,
                    output.added_stride, static_cast<int>(i_part), static_cast<int>(n_parts));
  }

 private:
  // Into how many the rows of a panel may be cut: each piece decodes the panel for itself. Sets
  // that multiply rows of BF16 may take all rows at once.
  int64_t row_pieces(int64_t n_rows) const {
    constexpr int64_t kFewestRows = 96;
    const kernels::RowFormat rows = form();
    const bool cuts_rows = rows == kernels::RowFormat::kQ8 || rows == kernels::RowFormat::kQ16 ||
                           rows == kernels::RowFormat::kF32;
    return cuts_rows ? std::max<int64_t>(1, n_rows / kFewestRows) : 1;
  }

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
  int64_t n_items = 0, weight_bytes = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    weight_bytes += tasks[i].product->n_bytes();
    n_items += tasks[i].product->n_parts(inputs.n_rows(), crew.n_threads());
    ends[i] = n_items;
  }
  crew.tell("product", weight_bytes);
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
  if (multiply == nullptr || gates == nullptr || values == nullptr || gates->type != values->type ||
      !to.asked_only(form)) {
    return false;
  }
  const int64_t n_parts = gate.n_parts(2 * inputs.n_rows(), crew.n_threads());
  crew.tell("gates", gate.n_bytes() + up.n_bytes());
  crew.each(n_parts, abort, [&](int64_t part, int) {
    multiply(*gates, *values, inputs.rows(form), to.rows(form), static_cast<int>(part),
             static_cast<int>(n_parts));
  });
  return true;
}

}  // namespace qwen3_embed
