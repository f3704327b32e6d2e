// 8 floats in plain C++: what every other set is tested against, and what runs where there is
// nothing better. Multiply-adds round twice, since a fused one would be a library call without
// hardware for it.
#pragma once

#include <math.h>

#include <cstring>

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

struct Vec {
  static constexpr int kLanes = 8;
  static constexpr int kStep = 2;
  struct F {
    float at[kLanes];
  };
  struct Mask {
    bool at[kLanes];
  };

  template <class Function>
  static F each(Function function) {
    F out;
    for (int i = 0; i < kLanes; i++) out.at[i] = function(i);
    return out;
  }

  static F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static void store(float* p, const F& a) { memcpy(p, a.at, sizeof a.at); }
  static F set(float a) {
    return each([&](int) { return a; });
  }
  static F add(const F& a, const F& b) {
    return each([&](int i) { return a.at[i] + b.at[i]; });
  }
  static F sub(const F& a, const F& b) {
    return each([&](int i) { return a.at[i] - b.at[i]; });
  }
  static F mul(const F& a, const F& b) {
    return each([&](int i) { return a.at[i] * b.at[i]; });
  }
  static F div(const F& a, const F& b) {
    return each([&](int i) { return a.at[i] / b.at[i]; });
  }
  static F max(const F& a, const F& b) {
    return each([&](int i) { return a.at[i] > b.at[i] ? a.at[i] : b.at[i]; });
  }
  static F fma(const F& a, const F& b, const F& c) { return add(mul(a, b), c); }
  static F fms(const F& a, const F& b, const F& c) { return sub(mul(a, b), c); }
  static F select(const Mask& mask, const F& yes, const F& no) {
    return each([&](int i) { return mask.at[i] ? yes.at[i] : no.at[i]; });
  }
  static Mask reaches(const int32_t* limits, int32_t position) {
    Mask mask;
    for (int i = 0; i < kLanes; i++) mask.at[i] = limits[i] >= position;
    return mask;
  }
  static float sum(const F& a) {
    return ((a.at[0] + a.at[4]) + (a.at[2] + a.at[6])) +
           ((a.at[1] + a.at[5]) + (a.at[3] + a.at[7]));
  }
  static F exp2(const F& a) {
    return each([&](int i) { return exp2f(a.at[i]); });
  }
  static void transpose4(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    for (int i = 0; i < 4; i++)
      for (int j = 0; j < 4; j++) to[j * to_stride + i] = from[i * from_stride + j];
  }
  static uint32_t largest(const float* x) {
    uint32_t bits[kBlock], top = 0;
    memcpy(bits, x, sizeof bits);
    for (uint32_t b : bits) top = (b & 0x7fffffffu) > top ? b & 0x7fffffffu : top;
    return top;
  }
  static void quantise(const float* x, float inverse, int8_t* codes, int32_t* sums) {
    for (int half = 0; half < 2; half++) {
      sums[half] = 0;
      for (int i = half * 16; i < half * 16 + 16; i++) {
        const long q = lrintf(x[i] * inverse);
        codes[i] = static_cast<int8_t>(q);
        sums[half] += static_cast<int32_t>(q);
      }
    }
  }
};

}  // namespace
}  // namespace qwen3_embed::kernels
