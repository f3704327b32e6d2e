// Models, or a model and adapters, into one file, tensor by tensor and a few rows at a time: the
// files may be larger than memory. What quantising takes away of a change is measured while it is
// written.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/adapter/adapter.h"
#include "core/merge/coefficients.h"
#include "core/road/forward.h"

namespace qwen3_embed {

// How far from the first model to the second, of tensors whose name holds `filter`: one value, or
// several spread over the layers.
struct MergePoint {
  std::string filter;  // empty: all
  std::vector<double> values;
};

struct MergeOptions {
  MergeMethod method = MergeMethod::slerp;
  std::vector<std::string> models;       // the first gives all that is not weights
  std::vector<double> weights;           // (n_models)
  std::vector<AdapterOptions> adapters;  // into the first model, which is alone then
  std::vector<MergePoint> points;        // of slerp; the first that fits counts
  double lambda = 1;                     // of task arithmetic and TIES
  double density = 1;                    // of TIES
  std::string type;                      // of matrices: "same", or a ggml type's name
  bool lossy = false;                    // also where most of the change is lost
  std::string output;
};

struct MergeReport {
  int64_t n_tensors = 0, n_straight = 0;  // of slerp: taken along the line
  int64_t n_changed = 0;                  // matrices that differ from the first model's
  double least_kept = 1, mean_kept = 1;   // of the changes
  std::string least_tensor;
};

struct MergeState {
  std::atomic<bool> aborted{false};
  std::atomic<int64_t> n_done{0}, n_total{0};  // bytes of the first model
};

// Throws Failure: as Gguf and read_adapter; model_mismatch for models that do not fit each other;
// model_unsupported for a type that cannot be written; compute where quantising loses most of the
// change, or the disk is full; aborted.
MergeReport merge_models(const MergeOptions& options, MergeState& state);

}  // namespace qwen3_embed
