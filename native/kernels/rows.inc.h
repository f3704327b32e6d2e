// The row functions, over a vector type. Each instruction set's source includes this after what
// row_blocks.inc.h asks for; internal linkage keeps the copies apart.
#pragma once

#include <math.h>

#include "row_blocks.inc.h"
#include "swiglu.inc.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int kVectors = kBlock / Vec::kLanes;  // per block of 32

void store_row(const float* x, const Rows& rows, int64_t row) {
  for (int64_t block = 0; block < rows.k / kBlock; block++)
    store_block(x + block * kBlock, rows, row, block);
}

float inverse_rms(const float* x, int64_t n, float epsilon) {
  Vec::F sums[kVectors];
  for (auto& sum : sums) sum = Vec::set(0);
  for (int64_t i = 0; i < n; i += kBlock)
    for (int v = 0; v < kVectors; v++) {
      const Vec::F a = Vec::load(x + i + v * Vec::kLanes);
      sums[v] = Vec::fma(a, a, sums[v]);
    }
  for (int v = 1; v < kVectors; v++) sums[0] = Vec::add(sums[0], sums[v]);
  return 1.0f / sqrtf(Vec::sum(sums[0]) / static_cast<float>(n) + epsilon);
}

void norm_block(const float* x, const float* weight, Vec::F scale, float* out) {
  for (int v = 0; v < kBlock; v += Vec::kLanes)
    Vec::store(out + v, Vec::mul(Vec::mul(Vec::load(x + v), scale), Vec::load(weight + v)));
}

void rms_norm(const float* x, const float* weight, float epsilon, int64_t n, float* out) {
  const Vec::F scale = Vec::set(inverse_rms(x, n, epsilon));
  for (int64_t i = 0; i < n; i += kBlock) norm_block(x + i, weight + i, scale, out + i);
}

void rms_norm_row(const float* x, const float* weight, float epsilon, const Rows& rows,
                  int64_t row) {
  const Vec::F scale = Vec::set(inverse_rms(x, rows.k, epsilon));
  alignas(64) float y[kBlock];
  for (int64_t block = 0; block < rows.k / kBlock; block++) {
    norm_block(x + block * kBlock, weight + block * kBlock, scale, y);
    store_block(y, rows, row, block);
  }
}

void swiglu_row(const float* gate, const float* up, const Rows& rows, int64_t row) {
  alignas(64) float y[kBlock];
  for (int64_t block = 0; block < rows.k / kBlock; block++) {
    swiglu_block(gate + block * kBlock, up + block * kBlock, y);
    store_block(y, rows, row, block);
  }
}

// erfc's polynomial of Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7:
// x Φ(x) = max(x, 0) - |x| erfc(|x| / √2) / 2, on either side of 0.
void gelu_row(const float* x, const Rows& rows, int64_t row) {
  const Vec::F zero = Vec::set(0), one = Vec::set(1);
  alignas(64) float y[kBlock];
  for (int64_t block = 0; block < rows.k / kBlock; block++) {
    for (int v = 0; v < kBlock; v += Vec::kLanes) {
      const Vec::F a = Vec::load(x + block * kBlock + v);
      const Vec::F size = Vec::max(Vec::sub(zero, a), a);
      const Vec::F z = Vec::mul(size, Vec::set(0.70710678118654752f));
      const Vec::F t = Vec::div(one, Vec::fma(z, Vec::set(0.3275911f), one));
      Vec::F p = Vec::set(1.061405429f);
      p = Vec::fma(p, t, Vec::set(-1.453152027f));
      p = Vec::fma(p, t, Vec::set(1.421413741f));
      p = Vec::fma(p, t, Vec::set(-0.284496736f));
      p = Vec::mul(Vec::fma(p, t, Vec::set(0.254829592f)), t);
      const Vec::F erfc = Vec::mul(p, Vec::exp2(Vec::mul(Vec::mul(z, z), Vec::set(-kLog2E))));
      const Vec::F above = Vec::max(zero, a);
      Vec::store(y + v, Vec::sub(above, Vec::mul(Vec::mul(size, Vec::set(0.5f)), erfc)));
    }
    store_block(y, rows, row, block);
  }
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon, int64_t n,
                float* out) {
  Vec::F sums[kVectors];
  for (auto& sum : sums) sum = Vec::set(0);
  for (int64_t i = 0; i < n; i += kBlock)
    for (int v = 0; v < kVectors; v++)
      sums[v] = Vec::add(sums[v], Vec::load(x + i + v * Vec::kLanes));
  for (int v = 1; v < kVectors; v++) sums[0] = Vec::add(sums[0], sums[v]);
  const Vec::F mean = Vec::set(Vec::sum(sums[0]) / static_cast<float>(n));
  for (auto& sum : sums) sum = Vec::set(0);
  for (int64_t i = 0; i < n; i += kBlock)
    for (int v = 0; v < kVectors; v++) {
      const Vec::F a = Vec::sub(Vec::load(x + i + v * Vec::kLanes), mean);
      sums[v] = Vec::fma(a, a, sums[v]);
    }
  for (int v = 1; v < kVectors; v++) sums[0] = Vec::add(sums[0], sums[v]);
  const Vec::F scale = Vec::set(1.0f / sqrtf(Vec::sum(sums[0]) / static_cast<float>(n) + epsilon));
  for (int64_t i = 0; i < n; i += Vec::kLanes) {
    const Vec::F a = Vec::mul(Vec::sub(Vec::load(x + i), mean), scale);
    Vec::store(out + i, Vec::fma(a, Vec::load(weight + i), Vec::load(bias + i)));
  }
}

void norm_rope(float* x, int64_t n_heads, int64_t head_stride, int64_t head_dim,
               const float* weight, float epsilon, const float* angles) {
  const int64_t half = head_dim / 2;
  for (int64_t h = 0; h < n_heads; h++, x += head_stride) {
    const Vec::F scale = Vec::set(weight ? inverse_rms(x, head_dim, epsilon) : 1.0f);
    for (int64_t i = 0; i < half; i += Vec::kLanes) {
      Vec::F a = Vec::load(x + i), b = Vec::load(x + half + i);
      if (weight) {
        a = Vec::mul(Vec::mul(a, scale), Vec::load(weight + i));
        b = Vec::mul(Vec::mul(b, scale), Vec::load(weight + half + i));
      }
      const Vec::F cos = Vec::load(angles + i), sin = Vec::load(angles + half + i);
      Vec::store(x + i, Vec::fms(a, cos, Vec::mul(b, sin)));
      Vec::store(x + half + i, Vec::fma(a, sin, Vec::mul(b, cos)));
    }
  }
}

}  // namespace
}  // namespace qwen3_embed::kernels
