// Products for 64-bit ARM that multiplies small matrices: two rows by two outputs, eight values of
// k at a time. Floats as without.
#include <arm_neon.h>

#include <cstring>

#include "neon_decoded.inc.h"
#include "neon_octets.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

// Of four outputs the first two (even turns) or the last (odd): eight values of k.
constexpr Sixteen sixteen_of_octets(int turn, int outputs) {
  return {turn / 2 * 128 + outputs * 32 + turn % 2 * 16, outputs * 16};
}

// Eight values of k, the kEight'th of the block: of a pair of outputs and of the pair behind it.
template <class Unit, int kEight, int R, int V>
QWEN3_OVER_REGISTERS void multiply_eight(const Unit& unit, int b, int first,
                                         const RowBlockOctets& rows, int32x4_t (&acc)[R][V]) {
  using Type = Decode<Unit>;
  int8x16_t codes[R], w[V];
  for (int r = 0; r < R; r++) codes[r] = vld1q_s8(rows.codes[kEight][r][0]);
  for (int v = 0; v < V; v += 2) {
    const int four = first / 4 + v / 2;
    w[v] = Type::template codes<kEight * 2>(unit, b, sixteen_of_octets(kEight * 2, four));
    w[v + 1] =
        Type::template codes<kEight * 2 + 1>(unit, b, sixteen_of_octets(kEight * 2 + 1, four));
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) acc[r][v] = vmmlaq_s32(acc[r][v], codes[r], w[v]);
}

struct TwoByTwo {
  using RowBlock = RowBlockOctets;
  using RowFactors = float[kRowGroup / 2][2][2];
  static constexpr int kRows = 2, kOutputs = 2;
  static constexpr Sixteen sixteen(int turn, int i) { return sixteen_of_octets(turn, i); }

  // Half kHalf of the block's values of k.
  template <class Unit, int kHalf, int R, int V>
  QWEN3_OVER_REGISTERS static void multiply(const Unit& unit, int b, const RowBlock& rows,
                                            int first, int32x4_t (&acc)[R][V]) {
    multiply_eight<Unit, kHalf * 2>(unit, b, first, rows, acc);
    multiply_eight<Unit, kHalf * 2 + 1>(unit, b, first, rows, acc);
  }
  template <class Four, int V>
  static void spread(Four four, float32x4_t (&to)[V]) {
    for (int v = 0; v < V; v += 2) {
      const float64x2_t pairs = vreinterpretq_f64_f32(four(v * 2));
      to[v] = vreinterpretq_f32_f64(vdupq_laneq_f64(pairs, 0));
      to[v + 1] = vreinterpretq_f32_f64(vdupq_laneq_f64(pairs, 1));
    }
  }
  static float32x4_t times(float32x4_t a, const RowFactors& of_rows, int r) {
    return vmulq_f32(a, vld1q_f32(of_rows[r][0]));
  }
  static float32x4_t plus(float32x4_t sum, float32x4_t a, const RowFactors& of_rows, int r) {
    return vfmaq_f32(sum, a, vld1q_f32(of_rows[r][0]));
  }
  static float32x4_t minus(float32x4_t sum, float32x4_t a, const RowFactors& of_rows, int r) {
    return vfmsq_f32(sum, a, vld1q_f32(of_rows[r][0]));
  }
  template <int R, int V>
  static void finish(const Tile& t, int output, const float32x4_t (&sums)[R][V]) {
    for (int r = 0; r < R && r * 2 < t.n_rows; r++)
      for (int v = 0; v < V; v += 2) {
        const float64x2_t a = vreinterpretq_f64_f32(sums[r][v]),
                          b = vreinterpretq_f64_f32(sums[r][v + 1]);
        finish_four(t, r * 2, output + v * 2, vreinterpretq_f32_f64(vzip1q_f64(a, b)));
        if (r * 2 + 1 < t.n_rows)
          finish_four(t, r * 2 + 1, output + v * 2, vreinterpretq_f32_f64(vzip2q_f64(a, b)));
      }
  }
};

template <class Unit>
void tile(const Tile& t) {
  constexpr RunTile* kRuns[kRowGroup / 2] = {tile_q8<TwoByTwo, Unit, 1>, tile_q8<TwoByTwo, Unit, 2>,
                                             tile_q8<TwoByTwo, Unit, 3>};
  kRuns[(t.n_rows - 1) / 2](t);
}

template <class Unit>
void product(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
             const float* add, int64_t add_stride, int ith, int nth) {
  product_q8<TwoByTwo, Unit>(
      product_of<Unit, RowBlockOctets>(weights, rows, out, out_stride, add, add_stride), ith, nth,
      tile<Unit>);
}

}  // namespace

void neon_i8mm_matmul(const Weights& weights, const Rows& rows, float* out, int64_t out_stride,
                      const float* add, int64_t add_stride, int ith, int nth) {
  Matmul* run = neon_matmul;
  if (weights.type == WeightType::kQ8_0) run = product<PackedQ8_0>;
  if (weights.type == WeightType::kQ4_0) run = product<PackedQ4_0>;
  if (weights.type == WeightType::kQ4_K) run = product<PackedQ4_K>;
  if (weights.type == WeightType::kQ5_K) run = product<PackedQ5_K>;
  if (weights.type == WeightType::kQ6_K) run = product<PackedQ6_K>;
  run(weights, rows, out, out_stride, add, add_stride, ith, nth);
}

}  // namespace qwen3_embed::kernels
