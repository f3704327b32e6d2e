// Rows of activations in every form that the products they are for take.
#pragma once

#include <cstdint>

#include "core/machine/memory.h"
#include "kernels/kernels.h"

namespace qwen3_embed {

class Inputs {
 public:
  Inputs(const kernels::Kernels& kernels, int64_t n_in) : kernels_(kernels), n_in_(n_in) {}

  void ask_for(kernels::RowFormat form) { asked_[index(form)] = true; }
  bool asked(kernels::RowFormat form) const { return asked_[index(form)]; }
  bool asked_only(kernels::RowFormat form) const;
  void resize(int64_t n_rows) { resize(n_rows, n_in_); }
  void resize(int64_t n_rows, int64_t n_in);

  // Each writes one row, from any thread.
  void store(const float* x, int64_t row);
  void store_norm(const float* x, const float* weight, float epsilon, int64_t row);
  void store_swiglu(const float* gate, const float* up, int64_t row);
  void store_gelu(const float* x, int64_t row);

  const kernels::Rows& rows(kernels::RowFormat form) const { return rows_[index(form)]; }
  const float* plain(int64_t row) const;
  const kernels::Kernels& kernels() const { return kernels_; }
  int64_t n_rows() const { return n_rows_; }
  int64_t n_in() const { return n_in_; }

 private:
  static size_t index(kernels::RowFormat form) { return static_cast<size_t>(form); }
  template <typename Write>
  void each_form(const Write& write);

  const kernels::Kernels& kernels_;
  int64_t n_in_;
  int64_t n_rows_ = 0;
  bool asked_[kernels::kRowFormats] = {};
  kernels::Rows rows_[kernels::kRowFormats] = {};
  Buffer memory_[kernels::kRowFormats];
};

}  // namespace qwen3_embed
