#include "core/cpu/products.h"

#include <algorithm>
#include <cstring>

#include "core/cpu/ggml_worker.h"
#include "core/failure.h"

namespace qwen3_embed {
namespace {

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Enough parts that a thread which comes late, or is set aside by the system, leaves the others
// something to do.
constexpr int64_t kPartsPerThread = 8;

// ggml takes its rows and weights in pieces that fit the second-level cache together.
constexpr int64_t kGgmlRows = 128;
constexpr int64_t kGgmlOutputs = 512;
constexpr int64_t kGgmlOutputMultiple = 32;
// The most rows any type is padded by (GgmlWorker::row_multiple).
constexpr int64_t kMostPadding = 64;

static_assert(kBufferAlignment % kernels::kAlignment == 0);

}  // namespace

int64_t rows_at_once(int64_t n_rows, int n_threads) {
  constexpr int64_t kMost = 8, kPiecesPerThread = 3;
  return std::clamp<int64_t>(n_rows / (n_threads * kPiecesPerThread), 1, kMost);
}

void Inputs::resize(int64_t n_rows) {
  n_rows_ = n_rows;
  for (int form = 0; form < kPlainForm; ++form) {
    if (!asked_[form]) continue;
    const auto format = static_cast<kernels::RowFormat>(form);
    memory_[form].reserve(kernels::rows_bytes(format, n_rows, n_in_));
    rows_[form] = {format, n_rows, n_in_, memory_[form].data()};
  }
  if (wants_plain()) {
    const int64_t padded = round_up(n_rows, kMostPadding);
    memory_[kPlainForm].reserve(static_cast<size_t>(padded * n_in_) * sizeof(float));
    std::fill(plain(n_rows), plain(padded), 0.0f);
  }
}

void Inputs::free() {
  for (Buffer& memory : memory_) memory.free();
}

void Inputs::store(const float* x, int64_t row) {
  for (int form = 0; form < kPlainForm; ++form) {
    if (asked_[form]) kernels_.store_row(x, rows_[form], row);
  }
  if (wants_plain()) std::copy(x, x + n_in_, plain(row));
}

void Inputs::store_norm(const float* x, const float* weight, float epsilon, int64_t row) {
  for (int form = 0; form < kPlainForm; ++form) {
    if (asked_[form]) kernels_.rms_norm_row(x, weight, epsilon, rows_[form], row);
  }
  if (wants_plain()) kernels_.rms_norm(x, weight, epsilon, n_in_, plain(row));
}

// ---- our kernels ----

class Products::KernelProduct : public Product {
 public:
  KernelProduct(const kernels::Kernels& kernels, const WeightMatrix& matrix)
      : Product(matrix.n_in, matrix.n_out), kernels_(kernels) {
    const auto type = static_cast<kernels::WeightType>(matrix.type);
    packed_.reserve(kernels::packed_bytes(type, n_out_, n_in_));
    weights_ = {type, n_out_, n_in_, packed_.data()};
  }

  void pack(const Weights& weights, const WeightMatrix& matrix, Crew& crew, const Abort& abort) {
    // The file's pages go back to the system as they have been read, so that loading needs little
    // more memory than the packed weights.
    constexpr int64_t kPanelsAtOnce = 8;
    const int64_t n_panels = kernels::panel_count(n_out_);
    crew.each((n_panels + kPanelsAtOnce - 1) / kPanelsAtOnce, abort, [&](int64_t item, int) {
      const int64_t begin = item * kPanelsAtOnce, end = std::min(n_panels, begin + kPanelsAtOnce);
      kernels::pack(weights_.type, matrix.data, n_out_, n_in_, begin, end, packed_.data());
    });
    weights.release(matrix);
  }

  int form() const override { return static_cast<int>(kernels_.row_format(weights_.type)); }

  int64_t n_parts(int64_t n_rows, int n_threads) const override {
    // A part below some ten thousand multiplications per thread is not worth handing out.
    constexpr int64_t kLeastWork = 1 << 16;
    const int64_t most = std::max<int64_t>(1, n_rows * n_in_ * n_out_ / kLeastWork);
    return std::min({most, kernels::panel_count(n_out_), int64_t{n_threads} * kPartsPerThread});
  }

  void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                int) const override {
    kernels_.matmul(weights_, inputs.rows(form()), output.rows, output.stride, output.added,
                    output.stride, static_cast<int>(i_part), static_cast<int>(n_parts));
  }

 private:
  const kernels::Kernels& kernels_;
  Buffer packed_;
  kernels::Weights weights_;
};

// ---- ggml ----

class Products::Ggml {
 public:
  explicit Ggml(int n_threads) {
    for (int i = 0; i < n_threads; ++i) workers_.push_back(std::make_unique<GgmlWorker>());
  }
  GgmlWorker& worker(int i) { return *workers_[static_cast<size_t>(i)]; }

 private:
  std::vector<std::unique_ptr<GgmlWorker>> workers_;
};

class Products::GgmlProduct : public Product {
 public:
  GgmlProduct(Ggml& ggml, const WeightMatrix& matrix)
      : Product(matrix.n_in, matrix.n_out),
        ggml_(ggml),
        matrix_(matrix),
        row_multiple_(GgmlWorker::row_multiple(matrix.type)) {}

  int form() const override { return kPlainForm; }

  int64_t n_parts(int64_t n_rows, int n_threads) const override {
    return row_chunks(n_rows) *
           ((n_out_ + outputs_at_once(n_rows, n_threads) - 1) / outputs_at_once(n_rows, n_threads));
  }

  void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                int worker) const override {
    const int64_t n_chunks = row_chunks(inputs.n_rows());
    const int64_t n_slices = n_parts / n_chunks;
    const int64_t slice = slice_width(n_slices);
    const int64_t first_row = i_part % n_chunks * kGgmlRows, first = i_part / n_chunks * slice;
    const int64_t n_rows = std::min(kGgmlRows, inputs.n_rows() - first_row);
    const int64_t n = std::min(slice, n_out_ - first);
    if (n <= 0) return;
    GgmlWorker& ggml = ggml_.worker(worker);
    // Padding rows and sums go through memory of the worker's own.
    const int64_t n_padded = round_up(n_rows, row_multiple_);
    float* sums = ggml.scratch(n_padded * n);
    ggml.mul_mat(matrix_.type, matrix_.data + static_cast<size_t>(first) * matrix_.row_bytes(),
                 n_in_, n, inputs.plain(first_row), n_padded, sums, n);
    for (int64_t r = 0; r < n_rows; ++r) {
      const int64_t at = (first_row + r) * output.stride + first;
      const float* from = sums + r * n;
      float* to = output.rows + at;
      if (output.added == nullptr) {
        std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
      } else {
        for (int64_t i = 0; i < n; ++i) to[i] = output.added[at + i] + from[i];
      }
    }
  }

 private:
  int64_t row_chunks(int64_t n_rows) const { return (n_rows + kGgmlRows - 1) / kGgmlRows; }

  // Wide for many rows, as ggml converts the rows anew for every slice; for few, enough slices for
  // all threads.
  int64_t outputs_at_once(int64_t n_rows, int n_threads) const {
    if (n_out_ % kGgmlOutputMultiple != 0) return n_out_;
    const int64_t wanted = int64_t{n_threads} * kPartsPerThread / 2;
    const int64_t n_slices = std::max<int64_t>(1, wanted / row_chunks(n_rows));
    return std::min(kGgmlOutputs,
                    round_up((n_out_ + n_slices - 1) / n_slices, kGgmlOutputMultiple * 4));
  }
  int64_t slice_width(int64_t n_slices) const {
    if (n_out_ % kGgmlOutputMultiple != 0) return n_out_;
    return round_up((n_out_ + n_slices - 1) / n_slices, kGgmlOutputMultiple);
  }

  Ggml& ggml_;
  const WeightMatrix matrix_;
  const int64_t row_multiple_;
};

// ---- all of them ----

Products::Products(const std::string& kernels, int n_threads)
    : kernels_(kernels == "auto" || kernels == "ggml" ? kernels::best()
                                                      : kernels::find(kernels.c_str())),
      only_ggml_(kernels == "ggml"),
      ggml_(std::make_unique<Ggml>(n_threads)) {
  if (kernels_ != nullptr) {
    // Where none of our instruction sets is there (ARM, old x86), ggml's products are the faster
    // ones.
    if (kernels == "auto" && std::strcmp(kernels_->name, "portable") == 0) only_ggml_ = true;
    return;
  }
  std::string names = "auto, ggml";
  for (int i = 0; kernels::available(i) != nullptr; ++i) {
    names += std::string(", ") + kernels::available(i)->name;
  }
  throw Failure{
      Code::model_unsupported,
      "This processor cannot run the kernels '" + kernels + "'. Use one of: " + names + ".",
      {{"kernels", kernels}}};
}

Products::~Products() = default;

std::unique_ptr<Product> Products::make(const Weights& weights, const WeightMatrix& matrix,
                                        Crew& crew, const Abort& abort) {
  if (only_ggml_ || !kernels::packable(static_cast<uint32_t>(matrix.type), matrix.n_in)) {
    ++n_by_ggml_;
    return std::make_unique<GgmlProduct>(*ggml_, matrix);
  }
  ++n_by_kernels_;
  auto product = std::make_unique<KernelProduct>(*kernels_, matrix);
  product->pack(weights, matrix, crew, abort);
  return product;
}

void Products::run(Crew& crew, const Abort& abort, const Inputs& inputs,
                   const std::vector<Task>& tasks) const {
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
    tasks[i].product->run_part(inputs, tasks[i].output, item - begin, ends[i] - begin, worker);
  });
}

void Products::swiglu(Crew& crew, const Abort& abort, float* gate, const float* up,
                      Inputs& inputs) const {
  const int64_t n = inputs.n_in(), n_rows = inputs.n_rows();
  const int64_t at_once = rows_at_once(n_rows, crew.n_threads());
  crew.each((n_rows + at_once - 1) / at_once, abort, [&](int64_t item, int worker) {
    for (int64_t row = item * at_once; row < std::min(n_rows, (item + 1) * at_once); ++row) {
      for (int form = 0; form < kPlainForm; ++form) {
        if (inputs.asked_[form])
          kernels_->swiglu_row(gate + row * n, up + row * n, inputs.rows_[form], row);
      }
      if (inputs.wants_plain()) {
        ggml_->worker(worker).swiglu(gate + row * n, up + row * n, n);
        std::copy(gate + row * n, gate + (row + 1) * n, inputs.plain(row));
      }
    }
  });
}

std::string Products::name() const {
  if (n_by_kernels_ == 0) return "ggml";
  return n_by_ggml_ == 0 ? kernels_->name : std::string(kernels_->name) + " and ggml";
}

}  // namespace qwen3_embed
