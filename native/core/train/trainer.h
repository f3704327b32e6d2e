// Fine-tuning of a low-rank adapter on a frozen model, a batch at a time (GradCache): rows of all
// texts forwards, the loss and its gradient by the rows, then pack by pack backwards, then AdamW.
// The bits of a step depend on the parameters, the batch and the pack budget alone, not on threads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu/crew.h"
#include "core/file/facts.h"
#include "core/network/outputs.h"
#include "core/train/loss.h"
#include "core/train/pass.h"

namespace qwen3_embed::train {

struct TrainerOptions {
  std::string path;
  int n_threads = 0;   // 0: machine/cpus.h's default
  int budget = 2048;   // rows of a pack
  bool ranks = false;  // a reranker: PairBatch is what it learns from
  bool exact = false;  // float products in place of 8-bit ones
  LoraOptions lora;
  LossOptions loss;
  double decay = 0.01;
  double most_norm = 1;  // of the gradient of a step
};

// What one step learns from. Texts are numbers into what set_texts was given.
struct Batch {
  std::vector<int32_t> queries;  // (n)
  struct Document {
    int32_t text;
    int32_t example;  // -1: of the bank
    bool is_positive;
  };
  std::vector<Document> documents;
};
// Of a reranker: whole prompts.
struct PairBatch {
  std::vector<int32_t> prompts;
  std::vector<uint8_t> labels;  // 1: relevant
};

struct StepReport {
  double loss = 0, norm = 0;  // of the gradient, before it is clipped
  int64_t n_rows = 0;         // that went through the layers, once each
};

class Trainer {
 public:
  // Throws Failure as Engine::load; model_unsupported for what is no Qwen3.
  Trainer(const TrainerOptions& options, const Abort& abort);
  ~Trainer();

  const Facts& facts() const { return facts_; }
  int64_t n_parameters() const { return static_cast<int64_t>(lora_->values.size()); }

  void set_texts(std::vector<Sequence> texts) { texts_ = std::move(texts); }
  // Rows of texts that stay as they are: where one is given, that text is not run. (n_texts,
  // n_embd)
  void set_rows(Vector rows, std::vector<uint8_t> given);

  // Loss and gradient, into lora().gradients; what a step begins with.
  StepReport gradient(const Batch& batch, const Abort& abort);
  StepReport gradient(const PairBatch& batch, const Abort& abort);
  // Clips and applies what gradient() left.
  void update(double learning_rate);

  // Rows of texts with the adapter as it is. (n, n_embd)
  Vector rows(const std::vector<int32_t>& texts, const Abort& abort);

  // An adapter that Embedder and llama.cpp load. `facts` are its qwen3_embed.adapter.* texts.
  void write_adapter(const std::string& path,
                     const std::vector<std::pair<std::string, std::string>>& facts) const;
  // All that the next steps depend on, and words of the caller's.
  void write_state(const std::string& path, const std::string& words) const;
  // The words alone, of a state of any training. Throws Failure model_invalid for a damaged file.
  static std::string state_words(const std::string& path);
  // The words. Throws Failure model_invalid for a damaged file or one of other parameters.
  std::string read_state(const std::string& path);

  Lora& lora() { return *lora_; }
  int64_t n_updates() const { return n_updates_; }

 private:
  struct Packed {
    std::vector<int32_t> slots;  // of the texts that run, by pack
    std::unique_ptr<TrainPass> pass;
  };
  std::vector<Packed> pack(const std::vector<int32_t>& texts, Work& work) const;
  Vector forward(const std::vector<int32_t>& texts, std::vector<Packed>& packs, StepReport& report);
  void backward(std::vector<Packed>& packs, const Vector& d_rows);

  const TrainerOptions options_;
  Facts facts_;
  std::unique_ptr<Crew> crew_;
  std::shared_ptr<const Network> network_;
  std::unique_ptr<Lora> lora_;
  std::unique_ptr<TrainedWeights> weights_;
  RankHead head_;  // of a reranker
  std::vector<Sequence> texts_;
  Vector given_rows_;
  std::vector<uint8_t> given_;  // (n_texts)
  Vector first_, second_;       // moments
  int64_t n_updates_ = 0;
};

}  // namespace qwen3_embed::train
