// ggml as a single-threaded library: one op at a time, on memory of ours, one instance per worker.
// Our crew hands out the work, so none of ggml's threads and barriers take part.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

struct ggml_backend;
struct ggml_context;
struct ggml_tensor;
struct ggml_threadpool;

namespace qwen3_embed {

class GgmlWorker {
 public:
  // Throws Failure compute where the CPU backend is not loaded.
  GgmlWorker();
  ~GgmlWorker();
  GgmlWorker(const GgmlWorker&) = delete;
  GgmlWorker& operator=(const GgmlWorker&) = delete;

  // ggml chooses among several routines by the number of rows; for this many, or a multiple of it,
  // always the same.
  static int64_t row_multiple(int32_t type);
  // Up to the largest such multiple.
  static int64_t padded_rows(int64_t n_rows);

  // out[r][i] = Σ_k x[r][k] · weights[i][k], for n_rows (a multiple of row_multiple) rows x
  // (n_rows, n_in). `weights` is n_out rows as they stand in the file; out_stride is in floats.
  void mul_mat(int32_t type, const void* weights, int64_t n_in, int64_t n_out, const float* x,
               int64_t n_rows, float* out, int64_t out_stride);

  // At least n floats for the caller's use.
  float* scratch(int64_t n);

 private:
  ggml_tensor* tensor(int32_t type, int64_t n0, int64_t n1, const void* data);
  void compute(ggml_tensor* result);

  std::vector<uint8_t> arena_;  // of tensor headers and graphs
  std::vector<float> scratch_;
  ggml_context* context_ = nullptr;
  ggml_backend* backend_ = nullptr;
  ggml_threadpool* pool_ = nullptr;
};

}  // namespace qwen3_embed
