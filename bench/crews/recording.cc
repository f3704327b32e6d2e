#include "recording.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "core/cpu/crew.h"
#include "core/file/facts.h"
#include "core/file/gguf_file.h"
#include "tiny_models.h"

using namespace qwen3_embed;

namespace crews {
namespace {

constexpr int kBlocks = 28, kRecordedBlocks = 4;

double clock_us(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}
double thread_us() { return clock_us(CLOCK_THREAD_CPUTIME_ID); }

// What asking for the time costs, as it is in every item.
double asking_us() {
  double least = 1e9;
  for (int i = 0; i < 1000; ++i) {
    const double start = thread_us();
    least = std::min(least, thread_us() - start);
  }
  return least;
}

std::vector<Sequence> texts_of(const Workload& workload) {
  std::mt19937 random(7);
  std::vector<Sequence> texts(static_cast<size_t>(workload.n_texts));
  for (Sequence& text : texts) {
    while (static_cast<int>(text.ids.size()) < workload.n_tokens)
      text.ids.push_back(static_cast<Token>(random() % 250));
  }
  return texts;
}

std::unique_ptr<Pass> begin(Forward& forward, const std::vector<Sequence>& texts) {
  Pack pack{{}, Pooling::last};
  for (const Sequence& text : texts) pack.sequences.push_back(&text);
  return forward.begin(pack);
}

std::vector<Round> rounds_of(const CrewLog& log, size_t first, size_t end, double asking) {
  std::vector<Round> rounds;
  for (size_t i = first; i < end; ++i) {
    const CrewLog::Round& from = log.rounds[i];
    Round round{from.what, std::max(0.0, from.alone_us - asking),
                static_cast<double>(from.weight_bytes), from.item_us};
    for (double& us : round.item_us) us = std::max(0.0, us - asking);
    rounds.push_back(std::move(round));
  }
  return rounds;
}

void take_least(std::vector<Round>& best, const std::vector<Round>& other) {
  if (best.empty()) best = other;
  for (size_t i = 0; i < best.size(); ++i) {
    best[i].alone_us = std::min(best[i].alone_us, other[i].alone_us);
    for (size_t j = 0; j < best[i].item_us.size(); ++j)
      best[i].item_us[j] = std::min(best[i].item_us[j], other[i].item_us[j]);
  }
}

}  // namespace

double Recorded::items_us() const {
  double sum = 0;
  for (const Round& round : rounds) {
    for (const double us : round.item_us) sum += us;
  }
  return sum;
}

double Recorded::alone_us() const {
  double sum = 0;
  for (const Round& round : rounds) sum += round.alone_us;
  return sum;
}

struct Recorder::Files {
  gguf_builder::Folder folder;
  std::string path;
};

Recorder::Recorder(const std::string& kernels)
    : kernels_(kernels), files_(std::make_unique<Files>()) {
  gguf_builder::Size size;
  size.n_embd = 1024, size.n_ff = 3072, size.n_head = 16, size.n_head_kv = 8;
  size.head_dim = 64;  // which the builder doubles
  size.n_layer = kRecordedBlocks, size.n_ctx = 32768;
  files_->path = files_->folder.write("shape.gguf",
                                      gguf_builder::qwen3_embedder(GGML_TYPE_Q8_0, size).build());
  keeps_weights_ = load(1, 1024);
}

Recorder::~Recorder() = default;

std::string Recorder::kernels() const { return keeps_weights_->limits().kernels; }

std::unique_ptr<Forward> Recorder::load(int width, int budget) const {
  const Gguf file(files_->path);
  PackedOptions options;
  options.n_threads = width;
  options.budget = budget;
  options.kernels = kernels_;
  return make_packed(file, read_facts(file), options);
}

Recorded Recorder::record(const Workload& workload, int width, int repeats) const {
  const std::vector<Sequence> texts = texts_of(workload);
  const auto forward = load(width, workload.n_texts * workload.n_tokens);
  const double asking = asking_us();
  std::vector<size_t> ends;  // of the steps, in rounds
  std::vector<Round> rounds;
  for (int i = 0; i <= repeats; ++i) {
    CrewLog log;
    log.now_us = thread_us;
    log.caller_only = true;
    forward->crew()->write_to(&log);
    const auto pass = begin(*forward, texts);
    ends.clear();
    bool more = true;
    while (more) {
      more = pass->step({});
      ends.push_back(log.rounds.size());
    }
    forward->crew()->write_to(nullptr);
    if (i > 0) take_least(rounds, rounds_of(log, 0, log.rounds.size(), asking));  // after a first
  }
  // A step to embed, one for each tile of each block, and in the last block one more for the few
  // rows that are read.
  const size_t per_block = (ends.size() - 2) / kRecordedBlocks;
  const size_t first = ends[per_block], end = ends[2 * per_block];  // the second block
  Recorded recorded;
  recorded.rounds.assign(rounds.begin(), rounds.begin() + static_cast<std::ptrdiff_t>(first));
  for (int i = 0; i < kBlocks - kRecordedBlocks + 1; ++i) {
    recorded.rounds.insert(recorded.rounds.end(),
                           rounds.begin() + static_cast<std::ptrdiff_t>(first),
                           rounds.begin() + static_cast<std::ptrdiff_t>(end));
  }
  recorded.rounds.insert(recorded.rounds.end(), rounds.begin() + static_cast<std::ptrdiff_t>(end),
                         rounds.end());
  return recorded;
}

Recorder::Real Recorder::run(const Workload& workload, int width, int repeats) const {
  const std::vector<Sequence> texts = texts_of(workload);
  const auto forward = load(width, workload.n_texts * workload.n_tokens);
  const double asking = asking_us();
  Real best;
  double best_share = 0;
  for (int i = 0; i <= repeats; ++i) {
    CrewLog log;
    log.now_us = thread_us;
    forward->crew()->write_to(&log);
    const double start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    const auto pass = begin(*forward, texts);
    while (pass->step({})) {
    }
    Real real;
    real.process_us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - start;
    forward->crew()->write_to(nullptr);
    real.n_rounds = log.rounds.size();
    for (const Round& round : rounds_of(log, 0, log.rounds.size(), asking)) {
      for (const double us : round.item_us) real.items_us += us;
      // The log's own cost is no cost of the crew's.
      real.process_us -= 2 * asking * static_cast<double>(round.item_us.size());
    }
    if (i > 0 && real.items_us / real.process_us > best_share) {
      best_share = real.items_us / real.process_us;
      best = real;
    }
  }
  return best;
}

}  // namespace crews
