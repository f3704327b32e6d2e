// Attention by AMX tiles of BF16 pairs. Queries and keys are each the sum of two BF16 numbers,
// which leaves 2^-17 of a product; weights and values are BF16, as where the instruction is
// vdpbf16ps.
#include "vec_avx512.h"
// After the vector type they are written over.
#include "amx_tiles.inc.h"
#include "attention_bf16.inc.h"
#include "sets.h"

namespace qwen3_embed::kernels {
namespace {

constexpr int64_t kTileDims = 32;  // BF16 numbers in a row of a tile

// 16 floats as the sum of two BF16 vectors.
struct Halves {
  __m256i high, low;
};
Halves halves(__m512 x) {
  const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
  const __m512 shown = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
  // What is not finite is so in the high half already.
  return {high, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_sub_ps(x, shown)))};
}

// 16 by 16 dwords, rows of `from` (stride in dwords) become columns of `to`.
void transpose16(const float* from, int64_t stride, float* to) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(from + i * stride);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    const auto wide = [](__m512 x) { return _mm512_castps_pd(x); };
    const auto narrow = [](__m512d x) { return _mm512_castpd_ps(x); };
    r[i] = narrow(_mm512_unpacklo_pd(wide(t[i]), wide(t[i + 2])));
    r[i + 1] = narrow(_mm512_unpackhi_pd(wide(t[i]), wide(t[i + 2])));
    r[i + 2] = narrow(_mm512_unpacklo_pd(wide(t[i + 1]), wide(t[i + 3])));
    r[i + 3] = narrow(_mm512_unpackhi_pd(wide(t[i + 1]), wide(t[i + 3])));
  }
  // Each of r holds four columns, a quarter of the rows in each 128 bits.
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    _mm512_storeu_ps(to + i * 16, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
    _mm512_storeu_ps(to + (i + 8) * 16, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    _mm512_storeu_ps(to + (i + 4) * 16, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
    _mm512_storeu_ps(to + (i + 12) * 16, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd));
  }
}

// Keys stand as (64 / 16, head_dim / 32) tiles of (16 keys, 32 dims), the high halves of all, then
// the low ones; the queries of a tile of lanes as (kTile / 16, head_dim / 32) tiles of (16 pairs of
// dims, 16 lanes), likewise.
struct TileKeys {
  static void put(const float* k, int64_t head_dim, int64_t j, float* keys) {
    uint16_t* high = tiles(keys) + j / kTileRows * kTileRows * head_dim + j % kTileRows * kTileDims;
    uint16_t* low = high + kKeys * head_dim;
    for (int64_t d = 0; d < head_dim; d += 16) {
      const Halves some = halves(_mm512_loadu_ps(k + d));
      const int64_t at = d / kTileDims * kTileRows * kTileDims + d % kTileDims;
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + at), some.high);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(low + at), some.low);
    }
  }

  // To the end of the last tile: `end` may lie before it.
  static void put_zeros(int64_t head_dim, int64_t begin, int64_t, float* keys) {
    alignas(64) static constexpr float kZeros[kMaxHeadDim] = {};
    for (int64_t j = begin; j % kTileRows != 0; j++) put(kZeros, head_dim, j, keys);
  }

  static void put_queries(float (&four)[4][kMaxHeadDim], int64_t head_dim, float scale,
                          int64_t lane, float* q) {
    alignas(64) float pairs[2][4][kMaxHeadDim / 2];
    for (int i = 0; i < 4; i++)
      for (int64_t d = 0; d < head_dim; d += 16) {
        const Halves some =
            halves(_mm512_mul_ps(_mm512_loadu_ps(four[i] + d), _mm512_set1_ps(scale)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs[0][i] + d / 2), some.high);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs[1][i] + d / 2), some.low);
      }
    float* to = q + lane / 16 * (head_dim / 2) * 16 + lane % 16;
    for (int half = 0; half < 2; half++, to += head_dim / 2 * kTile)
      for (int64_t pair = 0; pair < head_dim / 2; pair += 4)
        Vec::transpose4(pairs[half][0] + pair, kMaxHeadDim / 2, to + pair * 16, 16);
  }

  // Keys up to the end of a tile have scores too; nobody reads those beyond `count`.
  template <int NV>
  static void scores(const float* keys, const float* q, int64_t head_dim, int64_t count, float* p) {
    settle_memory();
    const int64_t n_groups = ceil_div(count, kTileRows);
    int64_t group = 0;
    for (; group + 1 < n_groups; group += 2) scores_of<2, NV>(keys, q, head_dim, group, p);
    if (group < n_groups) scores_of<1, NV>(keys, q, head_dim, group, p);
  }

 private:
  static uint16_t* tiles(float* keys) { return reinterpret_cast<uint16_t*>(keys); }

  template <int NG, int NV>
  static void scores_of(const float* keys, const float* q, int64_t head_dim, int64_t group,
                        float* p) {
    const float* high = keys + group * kTileRows * head_dim / 2;
    const float* low = high + kKeys * head_dim / 2;
    const float* low_q = q + kTile * head_dim / 2;
    _tile_zero(0);
    if (NV > 1) _tile_zero(1);
    if (NG > 1) _tile_zero(2);
    if (NG > 1 && NV > 1) _tile_zero(3);
    add<NG, NV>(low, q, head_dim);
    add<NG, NV>(high, low_q, head_dim);
    add<NG, NV>(high, q, head_dim);
    constexpr int64_t kStride = kTile * sizeof(float);
    p += group * kTileRows * kTile;
    _tile_stored(0, p, kStride);
    if (NV > 1) _tile_stored(1, p + 16, kStride);
    if (NG > 1) _tile_stored(2, p + kTileRows * kTile, kStride);
    if (NG > 1 && NV > 1) _tile_stored(3, p + kTileRows * kTile + 16, kStride);
  }

  template <int NG, int NV>
  static void add(const float* keys, const float* q, int64_t head_dim) {
    constexpr int64_t kFloats = kTileBytes / static_cast<int64_t>(sizeof(float));
    const float* second_keys = keys + kTileRows * head_dim / 2;
    const float* second_q = q + 16 * head_dim / 2;
    for (int64_t i = 0; i < head_dim / kTileDims; i++) {
      _tile_loadd(4, keys + i * kFloats, 64);
      _tile_loadd(6, q + i * kFloats, 64);
      _tile_dpbf16ps(0, 4, 6);
      if (NV > 1) {
        _tile_loadd(7, second_q + i * kFloats, 64);
        _tile_dpbf16ps(1, 4, 7);
      }
      if (NG > 1) {
        _tile_loadd(5, second_keys + i * kFloats, 64);
        _tile_dpbf16ps(2, 5, 6);
        if (NV > 1) _tile_dpbf16ps(3, 5, 7);
      }
    }
  }
};

// Values come as (64, head_dim) and are turned, 32 keys at a time, into (2, head_dim / 16) tiles of
// (16 dims, 32 keys).
struct TileValues {
  static void put(const float* v, int64_t head_dim, int64_t j, float* values) {
    auto* to = reinterpret_cast<uint16_t*>(rows(values, head_dim)) + j * head_dim;
    for (int64_t d = 0; d < head_dim; d += 16)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + d),
                          reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(v + d))));
  }

  static void close(int64_t head_dim, int64_t count, float* values) {
    constexpr int64_t kFloats = kTileBytes / static_cast<int64_t>(sizeof(float));
    const int64_t n = ceil_div(count, kTileDims) * kTileDims;
    auto* from = reinterpret_cast<uint16_t*>(rows(values, head_dim));
    memset(from + count * head_dim, 0,
           static_cast<size_t>((n - count) * head_dim) * sizeof(uint16_t));
    alignas(64) float pairs[16][16];  // (pair of keys, dim)
    float* to = values;
    for (int64_t first = 0; first < n; first += kTileDims)
      for (int64_t d = 0; d < head_dim; d += 16, to += kFloats) {
        for (int64_t pair = 0; pair < 16; pair++) {
          const uint16_t* key = from + (first + pair * 2) * head_dim + d;
          _mm512_store_si512(
              pairs[pair], _mm512_or_si512(wide(key), _mm512_slli_epi32(wide(key + head_dim), 16)));
        }
        transpose16(pairs[0], 16, to);
      }
  }

  template <int NV>
  static void accumulate(const float* values, float* p, int64_t head_dim, int64_t count,
                         const __m512 (&scale)[NV], float* o) {
    pair_weights<NV>(p, count);
    const int64_t n_halves = ceil_div(count, kTileDims);
    for (int64_t pair = ceil_div(count, 2); pair < n_halves * 16; pair++)
      for (int l = 0; l < NV; l++)
        _mm512_storeu_ps(p + pair * kTile + l * Vec::kLanes, _mm512_setzero_ps());
    rescale<NV>(scale, head_dim, o);
    settle_memory();
    n_halves > 1 ? add<2, NV>(values, p, head_dim, o) : add<1, NV>(values, p, head_dim, o);
  }

 private:
  static float* rows(float* values, int64_t head_dim) { return values + kKeys * head_dim / 2; }

  static __m512i wide(const uint16_t* codes) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  }

  template <int NV>
  static void rescale(const __m512 (&scale)[NV], int64_t head_dim, float* o) {
    for (int l = 0; l < NV; l++) {
      // Times 1 changes no bit.
      if (_mm512_cmp_ps_mask(scale[l], _mm512_set1_ps(1), _CMP_NEQ_UQ) == 0) continue;
      for (int64_t d = 0; d < head_dim; d++) {
        float* at = o + d * kTile + l * Vec::kLanes;
        _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), scale[l]));
      }
    }
  }

  // Of 32 keys or of 64, whose weights stay in tiles 4 to 7.
  template <int NH, int NV>
  static void add(const float* values, const float* weights, int64_t head_dim, float* o) {
    constexpr int64_t kFloats = kTileBytes / static_cast<int64_t>(sizeof(float));
    constexpr int64_t kStride = kTile * sizeof(float);
    const float* second = weights + 16 * kTile;
    _tile_loadd(4, weights, kStride);
    if (NV > 1) _tile_loadd(5, weights + 16, kStride);
    if (NH > 1) _tile_loadd(6, second, kStride);
    if (NH > 1 && NV > 1) _tile_loadd(7, second + 16, kStride);
    const float* second_values = values + kTileDims * head_dim / 2;
    for (int64_t i = 0; i < head_dim / 16; i++, o += 16 * kTile) {
      _tile_loadd(0, o, kStride);
      if (NV > 1) _tile_loadd(1, o + 16, kStride);
      _tile_loadd(2, values + i * kFloats, 64);
      _tile_dpbf16ps(0, 2, 4);
      if (NV > 1) _tile_dpbf16ps(1, 2, 5);
      if (NH > 1) {
        _tile_loadd(3, second_values + i * kFloats, 64);
        _tile_dpbf16ps(0, 3, 6);
        if (NV > 1) _tile_dpbf16ps(1, 3, 7);
      }
      _tile_stored(0, o, kStride);
      if (NV > 1) _tile_stored(1, o + 16, kStride);
    }
  }
};

}  // namespace

void amx_attention(const Attention& a) {
  if (a.head_dim % kTileDims != 0) return avx512_bf16_attention(a);
  const UseTiles tiles;
  attention<TileKeys, TileValues>(a);
}

}  // namespace qwen3_embed::kernels
