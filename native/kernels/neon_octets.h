// Rows of codes for products of small matrices: eight values of k of two rows beside each other;
// [ceil(m / 6)][k / 32] of these.
#pragma once

#include "layout.h"

namespace qwen3_embed::kernels {
namespace {

struct RowBlockOctets {
  int8_t codes[kBlock / 8][kRowGroup / 2][2][8];
  // Of two rows, each twice, as its sums with two outputs stand in a vector.
  float d[kRowGroup / 2][2][2];
  float sum[kRowGroup / 2][2][2];  // d Σ codes
  int32_t unused[8];
};
static_assert(sizeof(RowBlockOctets) == 320, "five cache lines");

}  // namespace
}  // namespace qwen3_embed::kernels
