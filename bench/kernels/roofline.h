#pragma once

#include <chrono>
#include <cstddef>

// What this core can do at most, in 10^9 operations a second (a multiply and an add are two); 0
// where it has no such instruction.
double peak_int8_gops();
double peak_float_gops();
double peak_bf16_gops();

// Reads `bytes` once, adding up; the sum is returned so that the reads stay.
unsigned long long read_through(const char* data, size_t bytes);

// 10^9 operations a second in the best of many rounds.
template <class Round>
double best_rate(double operations, Round round) {
  double best = 1e9;
  for (int i = 0; i < 200; i++) {
    const auto start = std::chrono::steady_clock::now();
    round();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = seconds < best ? seconds : best;
  }
  return operations / best / 1e9;
}
