// silu(gate) · up, over a vector type; included like rows.inc.h.
#pragma once

namespace qwen3_embed::kernels {
namespace {

constexpr float kLog2E = 1.44269504088896341f;

Vec::F swiglu(Vec::F gate, Vec::F up) {
  const Vec::F e = Vec::exp2(Vec::mul(gate, Vec::set(-kLog2E)));
  return Vec::mul(Vec::div(gate, Vec::add(Vec::set(1), e)), up);
}

}  // namespace
}  // namespace qwen3_embed::kernels
