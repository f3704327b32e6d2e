// y = W x on the CPU for many rows x, split into parts that any thread may take. The bits of a row
// of y depend on W and that row of x alone: not on the other rows, the parts or the threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu/crew.h"
#include "core/file/weights.h"
#include "core/machine/memory.h"
#include "kernels/kernels.h"

namespace qwen3_embed {

// Forms a product takes its rows in: kernels::RowFormat, or plain floats for ggml.
constexpr int kPlainForm = 3;
constexpr int kForms = 4;

// Rows of activations in every form that the products they are for ask for.
class Inputs {
 public:
  Inputs(const kernels::Kernels& kernels, int64_t n_in) : kernels_(kernels), n_in_(n_in) {}

  void ask_for(int form) { asked_[form] = true; }
  void resize(int64_t n_rows);
  void free();

  // Each writes one row, from any thread.
  void store(const float* x, int64_t row);
  void store_norm(const float* x, const float* weight, float epsilon, int64_t row);

  bool wants_plain() const { return asked_[kPlainForm]; }
  float* plain(int64_t row) const { return memory_[kPlainForm].floats() + row * n_in_; }
  const kernels::Rows& rows(int form) const { return rows_[form]; }
  int64_t n_rows() const { return n_rows_; }
  int64_t n_in() const { return n_in_; }

 private:
  const kernels::Kernels& kernels_;
  const int64_t n_in_;
  int64_t n_rows_ = 0;
  bool asked_[kForms] = {};
  kernels::Rows rows_[kForms] = {};
  Buffer memory_[kForms];

  friend class Products;
};

// A step that goes row by row is handed out by so many rows: some microseconds of work, and
// something for every thread.
int64_t rows_at_once(int64_t n_rows, int n_threads);

struct Output {
  float* rows;  // (n_rows, n_out)
  int64_t stride;
  const float* added;  // as `rows`, or null: added to the product; may be `rows`
};

class Product {
 public:
  virtual ~Product() = default;
  virtual int form() const = 0;
  bool rounds_rows() const {
    return form() != static_cast<int>(kernels::RowFormat::kF32) && form() != kPlainForm;
  }
  // A good number of parts for this many rows.
  virtual int64_t n_parts(int64_t n_rows, int n_threads) const = 0;
  virtual void run_part(const Inputs& inputs, const Output& output, int64_t i_part, int64_t n_parts,
                        int worker) const = 0;

  int64_t n_in() const { return n_in_; }
  int64_t n_out() const { return n_out_; }

 protected:
  Product(int64_t n_in, int64_t n_out) : n_in_(n_in), n_out_(n_out) {}
  const int64_t n_in_, n_out_;
};

// Everything a CPU pass multiplies with: kernels of ours for the types they pack, ggml's mul_mat
// for the others, or for all of them.
class Products {
 public:
  // `kernels`: "auto", "ggml", or the name of one of ours; throws Failure model_unsupported for a
  // name that this processor cannot run.
  Products(const std::string& kernels, int n_threads);
  ~Products();

  // Packs the weights where a kernel wants that, in parallel, and gives their pages in the file's
  // map back.
  std::unique_ptr<Product> make(const Weights& weights, const WeightMatrix& matrix, Crew& crew,
                                const Abort& abort);

  struct Task {
    const Product* product;
    Output output;
  };
  // All tasks take the same inputs and run side by side.
  void run(Crew& crew, const Abort& abort, const Inputs& inputs,
           const std::vector<Task>& tasks) const;

  // silu(gate) · up, row by row. (n_rows, n_in of inputs)
  void swiglu(Crew& crew, const Abort& abort, float* gate, const float* up, Inputs& inputs) const;

  const kernels::Kernels& kernels() const { return *kernels_; }
  // What multiplied: a kernel set's name, "ggml", or both.
  std::string name() const;

 private:
  class Ggml;
  class KernelProduct;
  class GgmlProduct;

  const kernels::Kernels* kernels_;
  bool only_ggml_;
  int n_by_kernels_ = 0, n_by_ggml_ = 0;
  std::unique_ptr<Ggml> ggml_;
};

}  // namespace qwen3_embed
