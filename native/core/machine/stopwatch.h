// Wall time between two steps of a pass.
#pragma once

#include <chrono>
#include <utility>

namespace qwen3_embed {

class Stopwatch {
 public:
  void start() { start_ = std::chrono::steady_clock::now(); }
  double lap_ms() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(start_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace qwen3_embed
