// Passes of the real engine on the shape of Qwen3-Embedding-0.6B, round by round.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/network/make_forward.h"
#include "model.h"

namespace crews {

struct Workload {
  std::string name;
  int n_texts, n_tokens;  // texts of a pack, tokens of each
};

// What a pass of 28 blocks is made of, recorded with four.
struct Recorded {
  std::vector<Round> rounds;
  double items_us() const;
  double alone_us() const;
};

class Recorder {
 public:
  explicit Recorder(const std::string& kernels);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // One pack as `width` threads share it out, each item run alone on this one; the least of
  // `repeats` runs.
  Recorded record(const Workload& workload, int width, int repeats) const;

  // The same with `width` threads that are really there.
  struct Real {
    size_t n_rounds = 0;
    double items_us = 0;    // processor time of all items
    double process_us = 0;  // processor time of the process: what is more was waited or handed out
  };
  Real run(const Workload& workload, int width, int repeats) const;

  std::string kernels() const;

 private:
  struct Files;
  std::unique_ptr<qwen3_embed::Forward> load(int width, int budget) const;
  const std::string kernels_;
  std::unique_ptr<Files> files_;
  std::unique_ptr<qwen3_embed::Forward> keeps_weights_;  // those who load share them with it
};

}  // namespace crews
