#include "core/cpu/ggml_worker.h"

#include "core/failure.h"
#include "core/machine/backends.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

namespace qwen3_embed {
namespace {

constexpr size_t kArena = 64 * 1024;
constexpr int64_t kMostRows = 64;  // the largest row_multiple()

}  // namespace

GgmlWorker::GgmlWorker() : arena_(kArena) {
  ggml_backend_dev_t device = cpu_device();
  backend_ = device ? ggml_backend_dev_init(device, nullptr) : nullptr;
  if (backend_ == nullptr) {
    throw Failure{Code::compute,
                  "ggml's CPU backend is not loaded: the libraries beside the addon are missing or "
                  "do not suit this "
                  "processor.",
                  {},
                  "Reinstall the package."};
  }
  if (auto* set_n_threads = cpu_function<void(ggml_backend_t, int)>("ggml_backend_set_n_threads")) {
    set_n_threads(backend_, 1);
  }
  // Without a pool of its own a backend makes one for every graph.
  auto* new_pool = cpu_function<ggml_threadpool*(ggml_threadpool_params*)>("ggml_threadpool_new");
  auto* set_pool =
      cpu_function<void(ggml_backend_t, ggml_threadpool*)>("ggml_backend_cpu_set_threadpool");
  if (new_pool && set_pool) {
    ggml_threadpool_params params = ggml_threadpool_params_default(1);
    pool_ = new_pool(&params);
    if (pool_) set_pool(backend_, pool_);
  }
  context_ = ggml_init({arena_.size(), arena_.data(), true});
  if (context_ == nullptr) throw Failure{Code::out_of_memory, "ggml could not make a context.", {}};
}

GgmlWorker::~GgmlWorker() {
  ggml_free(context_);
  ggml_backend_free(backend_);
  if (pool_) {
    if (auto* free_pool = cpu_function<void(ggml_threadpool*)>("ggml_threadpool_free"))
      free_pool(pool_);
  }
}

// mul_mat has one routine for single rows, one for fewer than 8 (tinyBLAS on ARM), and for the grid
// types one from 32 rows on (GGML_IQP_MIN_BATCH, with room to grow).
int64_t GgmlWorker::row_multiple(int32_t type) {
  switch (type) {
    case GGML_TYPE_IQ1_S:
    case GGML_TYPE_IQ1_M:
    case GGML_TYPE_IQ2_XXS:
    case GGML_TYPE_IQ2_XS:
    case GGML_TYPE_IQ2_S:
    case GGML_TYPE_IQ3_XXS:
    case GGML_TYPE_IQ3_S:
    case GGML_TYPE_IQ4_NL:
    case GGML_TYPE_IQ4_XS:
      return kMostRows;
    default:
      return 8;
  }
}

int64_t GgmlWorker::padded_rows(int64_t n_rows) {
  return (n_rows + kMostRows - 1) / kMostRows * kMostRows;
}

ggml_tensor* GgmlWorker::tensor(int32_t type, int64_t n0, int64_t n1, const void* data) {
  ggml_tensor* tensor = ggml_new_tensor_2d(context_, static_cast<ggml_type>(type), n0, n1);
  tensor->data = const_cast<void*>(data);
  return tensor;
}

void GgmlWorker::compute(ggml_tensor* result) {
  ggml_cgraph* graph = ggml_new_graph_custom(context_, 8, false);
  ggml_build_forward_expand(graph, result);
  const ggml_status status = ggml_backend_graph_compute(backend_, graph);
  if (status != GGML_STATUS_SUCCESS) {
    throw Failure{Code::compute,
                  "ggml failed with status " + std::to_string(status) + ": " + take_llama_log(),
                  {}};
  }
}

void GgmlWorker::mul_mat(int32_t type, const void* weights, int64_t n_in, int64_t n_out,
                         const float* x, int64_t n_rows, float* out, int64_t out_stride) {
  ggml_reset(context_);
  ggml_tensor* result = ggml_mul_mat(context_, tensor(type, n_in, n_out, weights),
                                     tensor(GGML_TYPE_F32, n_in, n_rows, x));
  result->data = out;
  // The CPU's mul_mat reads the result's strides: it may stand inside wider rows.
  result->nb[1] = static_cast<size_t>(out_stride) * sizeof(float);
  result->nb[2] = result->nb[3] = result->nb[1] * static_cast<size_t>(n_rows);
  compute(result);
}

float* GgmlWorker::scratch(int64_t n) {
  if (scratch_.size() < static_cast<size_t>(n)) scratch_.resize(static_cast<size_t>(n));
  return scratch_.data();
}

}  // namespace qwen3_embed
