// silu(gate) · up, over a vector type; included like rows.inc.h.
#pragma once

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

constexpr float kLog2E = 1.44269504088896341f;

Vec::F swiglu(Vec::F gate, Vec::F up) {
  const Vec::F e = Vec::exp2(Vec::mul(gate, Vec::set(-kLog2E)));
  return Vec::mul(Vec::div(gate, Vec::add(Vec::set(1), e)), up);
}

// Of 32 values.
[[maybe_unused]] void swiglu_block(const float* gate, const float* up, float* y) {
  for (int v = 0; v < kBlock; v += Vec::kLanes)
    Vec::store(y + v, swiglu(Vec::load(gate + v), Vec::load(up + v)));
}

}  // namespace
}  // namespace qwen3_embed::kernels
