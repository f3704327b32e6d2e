// y = W x on the CPU for many rows x, split into parts that any thread may take. The bits of a row
// of y depend on W and that row of x alone: not on the other rows, the parts or the threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu/crew.h"
#include "core/cpu/ggml_worker.h"
#include "core/cpu/inputs.h"
#include "core/network/network.h"
#include "kernels/kernels.h"

namespace qwen3_embed {

struct Output {
  float* rows;  // (n_rows, n_out)
  int64_t stride;
  const float* added;    // added to the product, or null; may be `rows`
  int64_t added_stride;  // 0: the same row for all
};

// What one thread multiplies with beside the kernels; null where nothing is left to ggml.
using GgmlWorkers = std::vector<std::unique_ptr<GgmlWorker>>;

class Product {
 public:
  virtual ~Product() = default;
  virtual kernels::RowFormat form() const = 0;
  // How coarsely it rounds its inputs.
  kernels::Rounding rounding() const {
    const kernels::RowFormat rows = form();
    if (rows == kernels::RowFormat::kQ16) return kernels::Rounding::kCodes;
    return rows == kernels::RowFormat::kQ8 || rows == kernels::RowFormat::kBf16
               ? kernels::Rounding::kBf16
               : kernels::Rounding::kNone;
  }
  // A good number of parts for this many rows.
  virtual int64_t n_parts(int64_t n_rows, int n_threads) const = 0;
  virtual void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                        GgmlWorker* ggml) const = 0;

  // As the kernels take them; null where they are not packed for these.
  virtual const kernels::Weights* weights() const { return nullptr; }

  // Of the weights, as they are read.
  virtual int64_t n_bytes() const = 0;
  int64_t n_in() const { return n_in_; }
  int64_t n_out() const { return n_out_; }

 protected:
  Product(int64_t n_in, int64_t n_out) : n_in_(n_in), n_out_(n_out) {}
  const int64_t n_in_, n_out_;
};

// Which products a load makes: kernels of ours for the types they pack, ggml's mul_mat for the
// others, or for all of them.
class ProductMaker {
 public:
  // `kernels`: "auto", "ggml", or the name of one of ours; throws Failure model_unsupported for a
  // name that this processor cannot run.
  ProductMaker(const std::string& kernels, std::shared_ptr<const TensorFile> file);

  // Reads the weights, and packs them where a kernel wants that, in parallel.
  std::unique_ptr<Product> make(const WeightMatrix& matrix, Crew& crew, const Abort& abort);
  // Of floats in memory. (n_out, n_in), n_in a multiple of 32
  std::unique_ptr<Product> make(const float* weights, int64_t n_out, int64_t n_in);
  // Of rows in memory, as they would stand in a file, of a type that the kernels pack.
  std::unique_ptr<Product> make(kernels::WeightType type, const void* rows, int64_t n_out,
                                int64_t n_in);

  const kernels::Kernels& kernels() const { return *kernels_; }
  bool uses_ggml() const { return n_by_ggml_ > 0; }
  // What multiplies: a kernel set's name, "ggml", or both.
  std::string name() const;

 private:
  const kernels::Kernels* kernels_;
  bool only_ggml_;
  std::shared_ptr<const TensorFile> file_;
  int n_by_kernels_ = 0, n_by_ggml_ = 0;
};

struct Task {
  const Product* product;
  Output output;
};
// All tasks take the same inputs and run side by side.
void run_products(Crew& crew, const Abort& abort, const GgmlWorkers& ggml, const Inputs& inputs,
                  const std::vector<Task>& tasks);

// silu(gate x) · (up x) into the rows of `to` with neither product written, where a kernel does
// that and `to` is asked for in no other form than its own; else nothing is done, and it is false.
bool run_swiglu(Crew& crew, const Abort& abort, const Inputs& inputs, const Product& gate,
                const Product& up, const Inputs& to);

}  // namespace qwen3_embed
