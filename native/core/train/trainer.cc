#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/failure.h"
#include "core/machine/cpus.h"
#include "core/text/vocabulary.h"

namespace qwen3_embed::train {
namespace {

void check_architecture(const Gguf& file, const Facts& facts, const Network& network) {
  const bool has_bias =
      std::any_of(network.blocks.begin(), network.blocks.end(), [](const Block& block) {
        const auto linears = block.linears();
        return std::any_of(linears.begin(), linears.end(),
                           [](const Linear* linear) { return !linear->bias.empty(); });
      });
  const bool fits = network.n_embd % 32 == 0 && network.n_ff % 32 == 0 && network.n_q() % 32 == 0 &&
                    network.n_kv() % 32 == 0 && network.head_dim % 32 == 0 &&
                    network.head_dim <= kernels::kMaxHeadDim;
  if (facts.is_qwen3 && network.is_causal && !has_bias && fits) return;
  throw Failure{Code::model_unsupported,
                "Expected a model of architecture qwen3 to train but " + file.paths().front() +
                    " is of " + facts.architecture + (facts.is_qwen3 ? " in an odd shape" : "") +
                    ".",
                {{"path", file.paths().front()}, {"architecture", facts.architecture}},
                "Train a Qwen3-Embedding or Qwen3-Reranker file; other models can be run with "
                "adapters that were trained elsewhere."};
}

}  // namespace

Trainer::Trainer(const TrainerOptions& options, const Abort& abort) : options_(options) {
  const Gguf file(options.path);
  facts_ = read_facts(file);
  const std::string obstacle = cannot_build(file, facts_);
  if (!obstacle.empty()) {
    throw Failure{Code::model_unsupported,
                  "Expected a model of architecture qwen3 to train but " + options.path +
                      " is of " + facts_.architecture + ": " + obstacle + ".",
                  {{"path", options.path}, {"architecture", facts_.architecture}},
                  "Train a Qwen3-Embedding or Qwen3-Reranker file."};
  }
  network_ = build_network(file, facts_);
  check_architecture(file, facts_, *network_);
  crew_ = std::make_unique<Crew>(options.n_threads > 0 ? options.n_threads
                                                       : default_threads(read_cpus()).n);
  lora_ = std::make_unique<Lora>(*network_, options.lora);
  weights_ = std::make_unique<TrainedWeights>(network_, *lora_, options.exact, *crew_, abort);
  first_.resize(lora_->values.size());
  second_.resize(lora_->values.size());
  const bool is_ranker = facts_.head == Head::cls || facts_.pooling == Pooling::rank;
  if (options.ranks) {
    const Vocabulary vocabulary(file, facts_);
    head_ = RankHead(*network_, vocabulary.find("yes"), vocabulary.find("no"));
  } else if (is_ranker) {
    throw Failure{Code::model_mismatch,
                  "Expected an embedding model for pairs of queries and documents but " +
                      options.path + " is a reranker.",
                  {{"path", options.path}},
                  "Train it as a reranker, or give an embedding model."};
  }
}

Trainer::~Trainer() = default;

void Trainer::set_rows(Vector rows, std::vector<uint8_t> given) {
  given_rows_ = std::move(rows);
  given_ = std::move(given);
}

// Packs of at most the budget's rows, sequences that begin alike together.
std::vector<Trainer::Packed> Trainer::pack(const std::vector<int32_t>& texts, Work& work) const {
  std::vector<int32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  auto sequence = [&](int32_t slot) -> const Sequence& {
    return texts_[static_cast<size_t>(texts[static_cast<size_t>(slot)])];
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return compare_ids(sequence(a), sequence(b)) < 0; });
  std::vector<Packed> packs;
  size_t n_rows = 0;
  for (const int32_t slot : order) {
    const Sequence& next = sequence(slot);
    if (!packs.empty()) {
      const size_t more = next.ids.size() - n_shared(sequence(packs.back().slots.back()), next);
      if (n_rows + more <= static_cast<size_t>(options_.budget)) {
        packs.back().slots.push_back(slot);
        n_rows += more;
        continue;
      }
    }
    packs.push_back({{slot}, nullptr});
    n_rows = next.ids.size();
  }
  for (Packed& packed : packs) {
    std::vector<const Sequence*> sequences;
    for (const int32_t slot : packed.slots) sequences.push_back(&sequence(slot));
    packed.pass = std::make_unique<TrainPass>(work, sequences);
  }
  return packs;
}

Vector Trainer::forward(const std::vector<int32_t>& texts, std::vector<Packed>& packs,
                        StepReport& report) {
  const auto n_embd = static_cast<size_t>(network_->n_embd);
  Vector rows(texts.size() * n_embd), some;
  for (Packed& packed : packs) {
    some.resize(packed.slots.size() * n_embd);
    packed.pass->forward(some.data());
    report.n_rows += packed.pass->n_rows();
    // A batch in one pack goes on from what it has.
    if (packs.size() > 1) packed.pass->forget();
    for (size_t i = 0; i < packed.slots.size(); ++i) {
      std::copy_n(some.data() + i * n_embd, n_embd,
                  rows.data() + static_cast<size_t>(packed.slots[i]) * n_embd);
    }
  }
  return rows;
}

void Trainer::backward(std::vector<Packed>& packs, const Vector& d_rows) {
  const auto n_embd = static_cast<size_t>(network_->n_embd);
  Vector again, some;
  std::fill(lora_->gradients.begin(), lora_->gradients.end(), 0.0f);
  for (Packed& packed : packs) {
    some.resize(packed.slots.size() * n_embd);
    for (size_t i = 0; i < packed.slots.size(); ++i) {
      std::copy_n(d_rows.data() + static_cast<size_t>(packed.slots[i]) * n_embd, n_embd,
                  some.data() + i * n_embd);
    }
    if (packs.size() > 1) {
      again.resize(some.size());
      packed.pass->forward(again.data());
    }
    packed.pass->backward(some.data(), *lora_);
    packed.pass.reset();
  }
}

namespace {

double norm_of(const Vector& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * double{value};
  return std::sqrt(sum);
}

[[noreturn]] void not_finite(const char* what) {
  throw Failure{Code::non_finite,
                std::string("The ") + what + " of this batch is not finite.",
                {},
                "Lower the learning rate, or raise the temperature; the last good state is kept."};
}

}  // namespace

StepReport Trainer::gradient(const Batch& batch, const Abort& abort) {
  Work work(*crew_, *weights_, abort);
  // Each text that runs has one row, however often it stands in the batch.
  std::vector<int32_t> run;
  std::map<int32_t, int32_t> slot_of;
  auto is_given = [&](int32_t text) {
    return !given_.empty() && given_[static_cast<size_t>(text)] != 0;
  };
  auto want = [&](int32_t text) {
    if (is_given(text) || !slot_of.try_emplace(text, static_cast<int32_t>(run.size())).second)
      return;
    run.push_back(text);
  };
  for (const int32_t text : batch.queries) want(text);
  for (const Batch::Document& document : batch.documents) want(document.text);

  StepReport report;
  std::vector<Packed> packs = pack(run, work);
  const Vector rows = forward(run, packs, report);
  const auto n_embd = static_cast<size_t>(network_->n_embd);
  LossBatch judged;
  judged.n_embd = network_->n_embd;
  judged.n_trained = static_cast<int32_t>(run.size());
  for (size_t i = 0; i < run.size(); ++i) judged.rows.push_back(rows.data() + i * n_embd);
  auto row_of = [&](int32_t text) {
    const auto [found, is_new] =
        slot_of.try_emplace(text, static_cast<int32_t>(judged.rows.size()));
    if (is_new) judged.rows.push_back(given_rows_.data() + static_cast<size_t>(text) * n_embd);
    return found->second;
  };
  for (const int32_t text : batch.queries) judged.queries.push_back(row_of(text));
  for (const Batch::Document& document : batch.documents) {
    judged.documents.push_back(
        {row_of(document.text), document.text, document.example, document.is_positive});
  }
  Vector d_rows(rows.size());
  report.loss = contrastive_loss(options_.loss, judged, d_rows.data());
  if (!std::isfinite(report.loss)) not_finite("loss");
  backward(packs, d_rows);
  report.norm = norm_of(lora_->gradients);
  if (!std::isfinite(report.norm)) not_finite("gradient");
  return report;
}

StepReport Trainer::gradient(const PairBatch& batch, const Abort& abort) {
  Work work(*crew_, *weights_, abort);
  StepReport report;
  std::vector<Packed> packs = pack(batch.prompts, work);
  const Vector rows = forward(batch.prompts, packs, report);
  const auto n_embd = static_cast<size_t>(network_->n_embd);
  Vector d_rows(rows.size());
  const auto n = static_cast<double>(batch.prompts.size());
  for (size_t i = 0; i < batch.prompts.size(); ++i) {
    double slope = 0;
    const auto score = static_cast<double>(head_.logit(rows.data() + i * n_embd));
    report.loss += pair_loss(score, batch.labels[i] != 0, slope) / n;
    for (size_t k = 0; k < n_embd; ++k)
      d_rows[i * n_embd + k] = static_cast<float>(slope / n * head_.direction()[k]);
  }
  if (!std::isfinite(report.loss)) not_finite("loss");
  backward(packs, d_rows);
  report.norm = norm_of(lora_->gradients);
  if (!std::isfinite(report.norm)) not_finite("gradient");
  return report;
}

void Trainer::update(double learning_rate) {
  constexpr double kFirst = 0.9, kSecond = 0.999, kEpsilon = 1e-8;
  const double norm = norm_of(lora_->gradients);
  const double clip = norm > options_.most_norm ? options_.most_norm / norm : 1;
  ++n_updates_;
  const auto t = static_cast<double>(n_updates_);
  const double unbias_first = 1 - std::pow(kFirst, t), unbias_second = 1 - std::pow(kSecond, t);
  const auto n = static_cast<int64_t>(lora_->values.size());
  constexpr int64_t kPiece = 1 << 14;
  crew_->each((n + kPiece - 1) / kPiece, {}, [&](int64_t item, int) {
    const auto end = static_cast<size_t>(std::min(n, (item + 1) * kPiece));
    for (auto i = static_cast<size_t>(item * kPiece); i < end; ++i) {
      const double g = clip * double{lora_->gradients[i]};
      const double m = kFirst * double{first_[i]} + (1 - kFirst) * g;
      const double v = kSecond * double{second_[i]} + (1 - kSecond) * g * g;
      first_[i] = static_cast<float>(m);
      second_[i] = static_cast<float>(v);
      const double step = m / unbias_first / (std::sqrt(v / unbias_second) + kEpsilon);
      const double value = double{lora_->values[i]};
      lora_->values[i] =
          static_cast<float>(value - learning_rate * (step + options_.decay * value));
    }
  });
  weights_->pack_adapters(*lora_, *crew_);
}

Vector Trainer::rows(const std::vector<int32_t>& texts, const Abort& abort) {
  Work work(*crew_, *weights_, abort);
  StepReport report;
  std::vector<Packed> packs = pack(texts, work);
  return forward(texts, packs, report);
}

}  // namespace qwen3_embed::train
