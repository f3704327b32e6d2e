#include "core/generic/generic.h"

#include <algorithm>
#include <cmath>

#include "core/failure.h"
#include "core/machine/backends.h"
#include "core/machine/ggml_threads.h"
#include "ggml-backend.h"
#include "llama.h"

namespace qwen3_embed {
namespace {

constexpr int kMaxSequences = 64;

struct ContextDelete {
  void operator()(llama_context* context) const { llama_free(context); }
};
struct BatchDelete {
  void operator()(llama_batch* batch) const {
    llama_batch_free(*batch);
    delete batch;
  }
};

enum llama_pooling_type pooling_type(Pooling pooling) {
  switch (pooling) {
    case Pooling::none:
      return LLAMA_POOLING_TYPE_NONE;
    case Pooling::mean:
      return LLAMA_POOLING_TYPE_MEAN;
    case Pooling::cls:
      return LLAMA_POOLING_TYPE_CLS;
    case Pooling::last:
      return LLAMA_POOLING_TYPE_LAST;
    case Pooling::rank:
      return LLAMA_POOLING_TYPE_RANK;
  }
  return LLAMA_POOLING_TYPE_NONE;
}

class Generic final : public Forward {
 public:
  Generic(std::shared_ptr<llama_model> model, const Facts& facts, const GenericOptions& options)
      : model_(std::move(model)), facts_(facts), options_(options), threads_(options.n_threads) {
    limits_.n_embd = llama_model_n_embd_out(model_.get());
    limits_.max_tokens = options.max_tokens;
    limits_.budget = std::min(options.budget, std::max(options.max_tokens, 1));
    limits_.max_sequences = kMaxSequences;
    limits_.shares_prefixes = false;
    for (const Adapter& adapter : options_.adapters) load(adapter);
    limits_.tells_queries = std::any_of(options_.adapters.begin(), options_.adapters.end(),
                                        [](const Adapter& a) { return a.side == Side::query; });
    limits_.device = options.gpu ? ggml_backend_dev_name(options.gpu) : "CPU";
    limits_.kernels = "ggml";
  }

  const Limits& limits() const override { return limits_; }

  std::unique_ptr<Pass> begin(const Pack& pack) override;
  ForwardTimes times() const override { return times_; }

  // ---- for its passes ----
  void run(const std::vector<Sequence>& sequences, Pooling pooling, bool are_queries,
           const Abort& abort) {
    int n_tokens = 0;
    for (const Sequence& sequence : sequences) n_tokens += static_cast<int>(sequence.ids.size());
    ensure_context(pooling, n_tokens);
    apply_adapters(are_queries);
    abort_ = &abort;
    const int status = decode(sequences, n_tokens);
    abort_ = nullptr;
    check(status, n_tokens);
    ++times_.n_packs;
    times_.n_tokens += n_tokens;
    times_.n_tokens_run += n_tokens;
  }

  // Of sequence s of the latest run, which has n_ids tokens, the first of them number `first`.
  RowView row(size_t s, size_t first, size_t n_ids) {
    llama_context* context = context_.get();
    const auto n_embd = static_cast<size_t>(limits_.n_embd);
    const auto id = static_cast<llama_seq_id>(s);
    if (pooling_ == Pooling::none) {
      return {llama_get_embeddings_ith(context, static_cast<int32_t>(first)), n_ids * n_embd};
    }
    if (pooling_ != Pooling::rank) return {llama_get_embeddings_seq(context, id), n_embd};
    if (ranks_by_logits(pooling_)) {
      const float* logits = llama_get_logits_ith(context, last_[s]);
      logit_ = logits[options_.yes] - logits[options_.no];
    } else {
      const float* head = llama_get_embeddings_seq(context, id);
      // Two labels come out of llama.cpp as a softmax [yes, no]; its logit difference is exact in
      // the logarithm.
      logit_ = facts_.n_labels == 2 ? std::log(head[0]) - std::log(head[1]) : head[0];
    }
    return {&logit_, 1};
  }

 private:
  bool ranks_by_logits(Pooling pooling) const {
    return pooling == Pooling::rank && facts_.head == Head::yes_no;
  }

  // llama.cpp's own reading of a file that was checked; freed with the model.
  void load(const Adapter& adapter) {
    llama_adapter_lora* loaded = llama_adapter_lora_init(model_.get(), adapter.path.c_str());
    if (loaded == nullptr) {
      throw Failure{
          Code::model_invalid,
          "llama.cpp could not load the adapter " + adapter.path + ": " + take_llama_log() + ".",
          {{"adapter", adapter.path}},
          "Check that it was made for this model."};
    }
    adapters_.push_back(loaded);
  }

  void apply_adapters(bool are_queries) {
    if (adapters_.empty()) return;
    std::vector<llama_adapter_lora*> applied;
    std::vector<float> scales;
    for (size_t i = 0; i < adapters_.size(); ++i) {
      const Adapter& adapter = options_.adapters[i];
      if (adapter.side == Side::query && !are_queries) continue;
      applied.push_back(adapters_[i]);
      scales.push_back(static_cast<float>(adapter.scale));
    }
    llama_set_adapters_lora(context_.get(), applied.data(), applied.size(), scales.data());
  }

  // Pooling is fixed when a context is made, and its buffers grow with its longest pass, so
  // contexts are made when needed: small at first, doubled when a longer pass comes.
  void ensure_context(Pooling pooling, int n_tokens) {
    if (context_ && pooling == pooling_ && n_tokens <= capacity_) return;
    context_.reset();
    batch_.reset();
    // llama.cpp asserts that a context outputs at least as many rows as it has sequences.
    capacity_ =
        std::max(kMaxSequences, std::min(std::max(limits_.max_tokens, limits_.budget), 512));
    while (capacity_ < n_tokens) capacity_ *= 2;
    pooling_ = pooling;

    const bool by_logits = ranks_by_logits(pooling);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(capacity_);
    params.n_batch = static_cast<uint32_t>(capacity_);
    // A pooled row is only right if its whole sequence is one ubatch (llama_context::decode).
    params.n_ubatch = static_cast<uint32_t>(by_logits ? std::min(capacity_, 512) : capacity_);
    params.n_seq_max = kMaxSequences;
    params.kv_unified = true;
    params.embeddings = !by_logits;
    params.pooling_type = by_logits ? LLAMA_POOLING_TYPE_NONE : pooling_type(pooling);
    params.n_threads = options_.n_threads;
    params.n_threads_batch = options_.n_threads;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.offload_kqv = options_.gpu != nullptr;
    params.op_offload = options_.gpu != nullptr;
    params.no_perf = true;
    params.abort_callback = [](void* self) {
      const Abort* abort = static_cast<Generic*>(self)->abort_;
      return abort != nullptr && *abort && (*abort)();
    };
    params.abort_callback_data = this;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (!context_) {
      throw Failure{Code::out_of_memory,
                    "llama.cpp could not make a context of " + std::to_string(capacity_) +
                        " tokens: " + take_llama_log() + ".",
                    {{"tokens", static_cast<int64_t>(capacity_)}},
                    "Lower maxTokens or budget."};
    }
    if (threads_.pool() != nullptr)
      llama_attach_threadpool(context_.get(), threads_.pool(), threads_.pool());
    batch_.reset(new llama_batch(llama_batch_init(capacity_, 0, 1)));
  }

  int decode(const std::vector<Sequence>& sequences, int n_tokens) {
    llama_batch& batch = *batch_;
    batch.n_tokens = n_tokens;
    const bool all_outputs = !ranks_by_logits(pooling_);
    last_.clear();
    int i = 0;
    for (size_t s = 0; s < sequences.size(); ++s) {
      const std::vector<Token>& ids = sequences[s].ids;
      for (size_t position = 0; position < ids.size(); ++position, ++i) {
        batch.token[i] = ids[position];
        batch.pos[i] = static_cast<llama_pos>(position);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = static_cast<llama_seq_id>(s);
        batch.logits[i] = all_outputs || position + 1 == ids.size();
      }
      last_.push_back(i - 1);
    }
    // The data too: a NaN left in a masked cell poisons later passes (0 x NaN).
    if (llama_memory_t memory = llama_get_memory(context_.get())) llama_memory_clear(memory, true);
    return llama_decode(context_.get(), batch);
  }

  static void check(int status, int n_tokens) {
    if (status == 0) return;
    if (status == 2) throw Failure{Code::aborted, "The pass was aborted.", {}};
    if (status == -2) {
      throw Failure{Code::out_of_memory,
                    "llama.cpp could not allocate a pass of " + std::to_string(n_tokens) +
                        " tokens: " + take_llama_log() + ".",
                    {{"tokens", static_cast<int64_t>(n_tokens)}},
                    "Lower budget or maxTokens."};
    }
    throw Failure{
        Code::compute,
        "llama_decode failed with status " + std::to_string(status) + ": " + take_llama_log() + ".",
        {{"status", static_cast<int64_t>(status)}},
        "This is a defect: please report it with the model's name."};
  }

  std::shared_ptr<llama_model> model_;
  std::vector<llama_adapter_lora*> adapters_;  // of options_.adapters
  Facts facts_;
  GenericOptions options_;
  Limits limits_;
  Pooling pooling_ = Pooling::none;
  int capacity_ = 0;
  std::vector<int32_t> last_;  // batch index of each sequence's last token
  const Abort* abort_ = nullptr;
  float logit_ = 0;  // of the latest row()
  ForwardTimes times_;
  const GgmlThreads threads_;  // of every context
  std::unique_ptr<llama_batch, BatchDelete> batch_;
  std::unique_ptr<llama_context, ContextDelete> context_;
};

// llama.cpp runs a pack in one go, and keeps one context: rows are copied before another pass may
// come.
class GenericPass final : public Pass {
 public:
  GenericPass(Generic& generic, const Pack& pack)
      : generic_(generic), pooling_(pack.pooling), are_queries_(pack.are_queries) {
    for (const Sequence* sequence : pack.sequences) sequences_.push_back(*sequence);
  }

  bool step(const Abort& abort) override {
    if (!rows_.empty()) return false;
    generic_.run(sequences_, pooling_, are_queries_, abort);
    rows_.reserve(sequences_.size());
    size_t first = 0;
    for (size_t s = 0; s < sequences_.size(); ++s) {
      const RowView row = generic_.row(s, first, sequences_[s].ids.size());
      rows_.emplace_back(row.values, row.values + row.n_values);
      first += sequences_[s].ids.size();
    }
    return false;
  }

  RowView row(size_t i) override { return {rows_[i].data(), rows_[i].size()}; }

 private:
  Generic& generic_;
  const Pooling pooling_;
  const bool are_queries_;
  std::vector<Sequence> sequences_;
  std::vector<std::vector<float>> rows_;
};

std::unique_ptr<Pass> Generic::begin(const Pack& pack) {
  return std::make_unique<GenericPass>(*this, pack);
}

}  // namespace

std::shared_ptr<llama_model> load_llama_model(const Gguf& file, const GenericOptions& options) {
  llama_model_params params = llama_model_default_params();
  ggml_backend_dev_t devices[] = {options.gpu ? options.gpu : nullptr, nullptr};
  params.devices = devices;
  params.n_gpu_layers = options.gpu ? -1 : 0;
  params.use_extra_bufts = false;
  // Read, not mapped: a file that shrinks while it is mapped ends the process.
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  struct Watch {
    const GenericOptions& options;
  } watch{options};
  params.progress_callback_user_data = &watch;
  params.progress_callback = [](float fraction, void* data) {
    const GenericOptions& asked = static_cast<Watch*>(data)->options;
    if (asked.on_progress) asked.on_progress(static_cast<double>(fraction));
    return !(asked.abort_load && asked.abort_load());
  };
  std::shared_ptr<llama_model> model(
      llama_model_load_from_file(file.paths().front().c_str(), params), llama_model_free);
  if (model) return model;
  if (options.abort_load && options.abort_load()) {
    throw Failure{Code::aborted, "Loading was aborted.", {}};
  }
  throw Failure{Code::model_invalid,
                "llama.cpp could not load " + file.paths().front() + ": " + take_llama_log() + ".",
                {{"path", file.paths().front()}},
                "Check that the file is complete and of a supported architecture."};
}

std::unique_ptr<Forward> make_generic(std::shared_ptr<llama_model> model, const Facts& facts,
                                      const GenericOptions& options) {
  return std::make_unique<Generic>(std::move(model), facts, options);
}

}  // namespace qwen3_embed
