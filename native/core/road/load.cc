// From a path to a loaded engine: what the file is, who can run it, and whether it is what the
// caller asked for.
#include <algorithm>
#include <cctype>

#include "core/generic/generic.h"
#include "core/machine/backends.h"
#include "core/machine/cpus.h"
#include "core/machine/memory.h"
#include "core/network/make_forward.h"
#include "core/network/network.h"
#include "core/road/engine.h"
#include "ggml-backend.h"

namespace qwen3_embed {
namespace {

// Reading and checking the header takes this share of the progress; weights take the rest.
constexpr double kHeaderShare = 0.05;

// Longest text the generic engine takes unless told otherwise: llama.cpp keeps logits for every
// token of a pass.
constexpr int kGenericMaxTokens = 8192;
constexpr int kGenericBudget = 512;
constexpr int kPackedBudget = 1024, kGpuBudget = 8192;

// A pass on a GPU of its own memory should fill it; elsewhere interactive texts wait for less.
int packed_budget(ggml_backend_device* gpu) {
  if (gpu == nullptr || ggml_backend_dev_type(gpu) != GGML_BACKEND_DEVICE_TYPE_GPU)
    return kPackedBudget;
  constexpr size_t kEnough = size_t{8} << 30;
  size_t n_free = 0, n_bytes = 0;
  ggml_backend_dev_memory(gpu, &n_free, &n_bytes);
  return n_bytes >= kEnough ? kGpuBudget : kPackedBudget;
}

bool says(const std::string& text, const std::string& word) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find(word) != std::string::npos;
}

[[noreturn]] void mismatch(const std::string& path, const std::string& is,
                           const std::string& wanted, const std::string& remedy) {
  throw Failure{Code::model_mismatch,
                "Expected " + wanted + " but " + path + " is " + is + ".",
                {{"path", path}},
                remedy};
}

// A file that would load and give plausible nonsense is refused here, from its metadata.
void check_kind(const Facts& facts, const LoadOptions& options) {
  const bool has_head = facts.head == Head::cls || facts.pooling == Pooling::rank;
  if (options.kind == Kind::embed && (has_head || says(facts.name, "rerank"))) {
    mismatch(options.path, "a reranker", "an embedding model", "Load it with Reranker.load.");
  }
  if (options.kind == Kind::rank) {
    const bool embeds = facts.pooling.has_value() && facts.pooling != Pooling::rank;
    if (!has_head && (embeds || (says(facts.name, "embed") && !says(facts.name, "rerank")))) {
      mismatch(options.path, "an embedding model", "a reranker", "Load it with Embedder.load.");
    }
    if (facts.head == Head::none) {
      throw Failure{Code::model_mismatch,
                    "Expected a reranker but " + options.path +
                        " has neither a classification head (cls.output.weight) nor the answer "
                        "tokens yes and no.",
                    {{"path", options.path}},
                    "Download a file converted for ranking."};
    }
  }
}

// What changes the model, and the fingerprints that follow from it.
std::vector<Adapter> read_adapters(const Gguf& file, Facts& facts, const LoadOptions& options) {
  std::vector<Adapter> adapters;
  for (const AdapterOptions& one : options.adapters) {
    adapters.push_back(read_adapter(one, file, facts));
    const Adapter& adapter = adapters.back();
    if (options.kind == Kind::rank && adapter.side == Side::query) {
      throw Failure{Code::model_mismatch,
                    "Expected an adapter for a reranker but " + one.path +
                        " is for queries alone, which a reranker never reads alone.",
                    {{"adapter", one.path}},
                    "Train one with the reranker, or pass side: 'both'."};
    }
    facts.adapters.push_back(
        {adapter.path, adapter.digest, adapter.scale, adapter.rank, adapter.side == Side::query});
  }
  facts.query_fingerprint = fingerprint_with(facts.fingerprint, adapters, true);
  facts.fingerprint = fingerprint_with(facts.fingerprint, adapters, false);
  return adapters;
}

ggml_backend_device* find_gpu(const LoadOptions& options) {
  if (options.gpu.empty()) return nullptr;
  if (!options.gpu_library.empty()) load_gpu_backend(options.gpu_library);
  ggml_backend_device* device = gpu_device(options.gpu);
  if (device != nullptr) return device;
  throw Failure{Code::gpu_unavailable,
                "No " + options.gpu + " device was found on this machine.",
                {{"gpu", options.gpu}},
                "Check the driver, or load with gpu: false."};
}

// An option that would do nothing is refused.
void check_weights_change(ggml_backend_device* gpu, const std::string& obstacle) {
  if (gpu != nullptr && obstacle.empty()) return;
  throw Failure{
      Code::model_unsupported,
      "gpuWeights changes what the packed engine multiplies with on a GPU, and " +
          (gpu == nullptr ? std::string("no GPU was asked for")
                          : "it does not run here: " + obstacle) +
          ".",
      {},
      gpu == nullptr ? "Say which with gpu, or leave gpuWeights out." : "Leave gpuWeights out."};
}

int max_tokens(const Facts& facts, const LoadOptions& options, int ceiling) {
  const int trained =
      facts.n_ctx_train > 0 ? std::min(facts.n_ctx_train, ceiling) : std::min(512, ceiling);
  return options.max_tokens > 0 ? std::min(options.max_tokens, std::max(facts.n_ctx_train, 1))
                                : trained;
}

}  // namespace

std::unique_ptr<Engine> Engine::load(const LoadOptions& options, const Abort& abort,
                                     const std::function<void(double)>& on_progress,
                                     const std::function<void()>& on_change) {
  const Gguf file(options.path);
  std::unique_ptr<Engine> engine(new Engine());
  Facts& facts = engine->facts_;
  facts = read_facts(file);
  check_kind(facts, options);
  std::vector<Adapter> adapters = read_adapters(file, facts, options);
  ggml_backend_device* gpu = find_gpu(options);
  on_progress(kHeaderShare);
  const auto on_weights = [&](double fraction) {
    on_progress(kHeaderShare + (1 - kHeaderShare) * fraction);
  };

  engine->threads_ = options.n_threads > 0 ? Threads{options.n_threads, "as asked for"}
                                           : default_threads(read_cpus());
  const int n_threads = engine->threads_.n;
  const std::string obstacle =
      options.engine == "generic" ? "the generic engine was asked for" : cannot_build(file, facts);
  if (options.engine == "packed" && !obstacle.empty()) {
    throw Failure{Code::model_unsupported,
                  "The packed engine cannot run " + options.path + ": " + obstacle + ".",
                  {{"architecture", facts.architecture}},
                  "Load it with engine: 'generic'."};
  }
  if (options.gpu_weights != DeviceWeights::file) check_weights_change(gpu, obstacle);
  if (obstacle.empty()) {
    engine->engine_name_ = "packed";
    engine->vocabulary_ = std::make_unique<Vocabulary>(file, facts);
    PackedOptions packed;
    packed.n_threads = n_threads;
    packed.n_crews =
        options.n_crews > 0 ? std::min(options.n_crews, n_threads) : default_crews(n_threads);
    packed.budget = options.budget > 0 ? options.budget : packed_budget(gpu);
    packed.max_tokens = max_tokens(facts, options, facts.n_ctx_train);
    packed.prefix_bytes = options.prefix_bytes;
    packed.adapters = std::move(adapters);
    packed.ranks = options.kind == Kind::rank;
    packed.kernels = options.kernels;
    packed.device = gpu;
    packed.device_weights = options.gpu_weights;
    packed.yes = engine->vocabulary_->find("yes");
    packed.no = engine->vocabulary_->find("no");
    packed.abort_load = abort;
    packed.on_progress = on_weights;
    const MemoryLock lock(options.lock_memory);
    engine->forward_ = make_packed(file, facts, packed);
  } else {
    engine->engine_name_ = "generic";
    GenericOptions generic;
    generic.n_threads = n_threads;
    generic.budget = options.budget > 0 ? options.budget : kGenericBudget;
    generic.max_tokens = max_tokens(facts, options, kGenericMaxTokens);
    generic.gpu = gpu;
    generic.adapters = std::move(adapters);
    generic.abort_load = abort;
    generic.on_progress = on_weights;
    std::shared_ptr<llama_model> model = load_llama_model(file, generic);
    engine->vocabulary_ = std::make_unique<Vocabulary>(file, facts, model);
    generic.yes = engine->vocabulary_->find("yes");
    generic.no = engine->vocabulary_->find("no");
    if (options.kind == Kind::rank && facts.head == Head::yes_no &&
        std::min(generic.yes, generic.no) < 0) {
      mismatch(options.path, "a file whose merges never make the answer tokens yes and no",
               "a reranker", "Download a file converted for ranking.");
    }
    engine->forward_ = make_generic(std::move(model), facts, generic);
  }
  engine->turns_ = std::make_unique<Turns>(*engine->vocabulary_, *engine->forward_, on_change);
  on_progress(1);
  return engine;
}

}  // namespace qwen3_embed
