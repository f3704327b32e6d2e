// A model on a lane of its own and calls to it, as the addon makes them.
#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "core/road/lane.h"

namespace qwen3_embed {

inline constexpr auto kPatience = std::chrono::seconds(90);

// Counts ends, without memory.
class Ends {
 public:
  void add() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++n_;
    changed_.notify_all();
  }
  bool wait_for(int n) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return n_ >= n; });
  }
  int count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return n_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int n_ = 0;
};

// One loaded model.
class Loaded {
 public:
  explicit Loaded(const LoadOptions& options) {
    LaneEvents events;
    events.on_load_progress = [](double) {};
    events.on_loaded = [this](const Engine* engine, const Failure* failure) {
      if (engine != nullptr) n_embd_ = static_cast<size_t>(engine->limits().n_embd);
      if (failure != nullptr) code_ = failure->code;
      has_failed_ = failure != nullptr;
      loaded_.add();
    };
    events.on_closed = [] {};
    lane_ = std::make_unique<Lane>(options, 100000, std::move(events));
    CHECK(loaded_.wait_for(1));
  }
  Lane& lane() { return *lane_; }
  size_t n_embd() const { return n_embd_; }
  bool has_failed() const { return has_failed_; }
  Code code() const { return code_; }

 private:
  Ends loaded_;
  size_t n_embd_ = 0;
  bool has_failed_ = false;
  Code code_{};
  std::unique_ptr<Lane> lane_;  // last: its thread uses the others
};

// A job, and where its results go.
struct Call {
  Call(JobOptions options, const std::vector<std::string>& bodies, size_t n_embd) {
    options.fail_fast = false;
    options.n_dims = static_cast<int>(n_embd);
    job = std::make_shared<Job>(std::move(options));
    const auto head = std::make_shared<const std::string>("a head ");
    for (const std::string& body : bodies) job->add(head, body);
    const size_t n = bodies.size();
    vectors.assign(n * n_embd, std::nanf(""));
    scores.assign(n, std::nan(""));
    counts.assign(2 * n, -1);
    job->vectors = vectors.data();
    job->scores = scores.data();
    job->n_tokens = counts.data();
    job->n_cut = counts.data() + n;
    if (job->options.pooling == Pooling::none) job->token_rows.resize(n);
    if (job->options.only_tokens) job->ids.resize(n);
    // As the addon's: what it needs is there before the job is.
    job->on_settled = [this](Job&) { ++n_settled, ends->add(); };
    job->on_progress = [this](size_t n_done) { n_progress = n_done; };
  }

  // What came of a text, as bytes.
  std::string result(size_t i) const {
    const auto bytes = [](const auto* data, size_t n) {
      return std::string(reinterpret_cast<const char*>(data), n * sizeof *data);
    };
    const size_t n_embd = vectors.size() / job->n_texts();
    if (job->options.only_tokens) return bytes(job->ids[i].data(), job->ids[i].size());
    if (job->options.task == JobOptions::Task::rank) return bytes(&scores[i], 1);
    if (job->options.pooling == Pooling::none)
      return bytes(job->token_rows[i].data(), job->token_rows[i].size());
    return bytes(vectors.data() + i * n_embd, n_embd);
  }

  std::shared_ptr<Job> job;
  std::vector<float> vectors;
  std::vector<double> scores;
  std::vector<int32_t> counts;
  Ends* ends = nullptr;
  std::atomic<int> n_settled{0};
  std::atomic<size_t> n_progress{0};
  bool was_refused = false;
};
using Calls = std::vector<std::unique_ptr<Call>>;

}  // namespace qwen3_embed
