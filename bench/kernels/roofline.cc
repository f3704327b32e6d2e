#include "roofline.h"

#ifdef QWEN3_KERNELS_X86
#include <immintrin.h>

namespace {

constexpr int kRounds = 20000, kChains = 12;

// Twelve independent chains hide the instruction's latency; the empty statement keeps all of them
// alive.
#define KEEP_ALL(a)                                                                          \
  __asm__ volatile(""                                                                        \
                   : "+v"(a[0]), "+v"(a[1]), "+v"(a[2]), "+v"(a[3]), "+v"(a[4]), "+v"(a[5]), \
                     "+v"(a[6]), "+v"(a[7]), "+v"(a[8]), "+v"(a[9]), "+v"(a[10]), "+v"(a[11]))

__attribute__((target("avx512f,avx512vnni"))) void int8_round() {
  __m512i a[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) a[i] = _mm512_setzero_si512();
  __m512i u = _mm512_set1_epi32(0x01020304), v = _mm512_set1_epi32(0x04030201);
  __asm__ volatile("" : "+v"(u), "+v"(v));
  for (int i = 0; i < kRounds; i++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = _mm512_dpbusd_epi32(a[c], u, v);
    KEEP_ALL(a);
  }
}

__attribute__((target("avx512f"))) void float_round() {
  __m512 a[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) a[i] = _mm512_setzero_ps();
  __m512 u = _mm512_set1_ps(1.5f), v = _mm512_set1_ps(0.5f);
  __asm__ volatile("" : "+v"(u), "+v"(v));
  for (int i = 0; i < kRounds; i++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = _mm512_fmadd_ps(u, v, a[c]);
    KEEP_ALL(a);
  }
}

__attribute__((target("avx2,fma"))) void float_round_256() {
  __m256 a[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) a[i] = _mm256_setzero_ps();
  __m256 u = _mm256_set1_ps(1.5f), v = _mm256_set1_ps(0.5f);
  __asm__ volatile("" : "+x"(u), "+x"(v));
  for (int i = 0; i < kRounds; i++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) a[c] = _mm256_fmadd_ps(u, v, a[c]);
    __asm__ volatile(""
                     : "+x"(a[0]), "+x"(a[1]), "+x"(a[2]), "+x"(a[3]), "+x"(a[4]), "+x"(a[5]),
                       "+x"(a[6]), "+x"(a[7]), "+x"(a[8]), "+x"(a[9]), "+x"(a[10]), "+x"(a[11]));
  }
}

__attribute__((target("avx512f,avx512bf16"))) void bf16_round() {
  __m512 a[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) a[i] = _mm512_setzero_ps();
  __m512i u = _mm512_set1_epi32(0x3f803f80), v = _mm512_set1_epi32(0x3f803f80);
  __asm__ volatile("" : "+v"(u), "+v"(v));
  for (int i = 0; i < kRounds; i++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++)
      a[c] = _mm512_dpbf16_ps(a[c], reinterpret_cast<__m512bh>(u), reinterpret_cast<__m512bh>(v));
    KEEP_ALL(a);
  }
}

__attribute__((target("avx2"))) unsigned long long read_256(const char* data, size_t bytes) {
  __m256i sums[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
    _mm_prefetch(data + i + 4096, _MM_HINT_T0);
    _mm_prefetch(data + i + 4096 + 64, _MM_HINT_T0);
    _mm_prefetch(data + i + 4096 + 128, _MM_HINT_T0);
    _mm_prefetch(data + i + 4096 + 192, _MM_HINT_T0);
    for (size_t j = 0; j < 8; j++)
      sums[j % 4] = _mm256_add_epi64(
          sums[j % 4], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + i + j * 32)));
  }
  const __m256i sum =
      _mm256_add_epi64(_mm256_add_epi64(sums[0], sums[1]), _mm256_add_epi64(sums[2], sums[3]));
  alignas(32) unsigned long long parts[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(parts), sum);
  return parts[0] + parts[1] + parts[2] + parts[3];
}

}  // namespace

double peak_int8_gops() {
  if (!__builtin_cpu_supports("avx512vnni")) return 0;
  return best_rate(2.0 * 64 * kChains * kRounds, int8_round);
}
double peak_float_gops() {
  if (__builtin_cpu_supports("avx512f"))
    return best_rate(2.0 * 16 * kChains * kRounds, float_round);
  if (__builtin_cpu_supports("avx2"))
    return best_rate(2.0 * 8 * kChains * kRounds, float_round_256);
  return 0;
}
double peak_bf16_gops() {
  if (!__builtin_cpu_supports("avx512bf16")) return 0;
  return best_rate(2.0 * 32 * kChains * kRounds, bf16_round);
}

#elif !defined(QWEN3_KERNELS_I8MM)

double peak_int8_gops() { return 0; }
double peak_float_gops() { return 0; }
double peak_bf16_gops() { return 0; }

#endif

unsigned long long read_through(const char* data, size_t bytes) {
#ifdef QWEN3_KERNELS_X86
  if (__builtin_cpu_supports("avx2")) return read_256(data, bytes);
#endif
  unsigned long long sum = 0;
  for (size_t i = 0; i < bytes; i += 64) sum += static_cast<unsigned char>(data[i]);
  return sum;
}
