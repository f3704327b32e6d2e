#include "kernels.h"

#include <cmath>
#include <cstring>

#include "sets.h"

#ifdef QWEN3_KERNELS_X86
#include "cpu.h"
#endif
#ifdef QWEN3_KERNELS_ARM
#include "cpu_arm.h"
#endif

namespace qwen3_embed::kernels {

const Kernels* available(int index) {
  const Kernels* sets[7] = {};
  int n = 0;
#ifdef QWEN3_KERNELS_AMX
  if (cpu().amx_bf16) sets[n++] = &kAmx;
#endif
#ifdef QWEN3_KERNELS_X86
  if (cpu().avx512_bf16) sets[n++] = &kAvx512Bf16;
  if (cpu().avx512_vnni) sets[n++] = &kAvx512Vnni;
#ifdef QWEN3_KERNELS_AVXVNNI
  if (cpu().avx_vnni) sets[n++] = &kAvx2Vnni;
#endif
  if (cpu().avx2) sets[n++] = &kAvx2;
#endif
#ifdef QWEN3_KERNELS_I8MM
  if (cpu_arm().i8mm) sets[n++] = &kNeonI8mm;
#endif
#ifdef QWEN3_KERNELS_DOTPROD
  if (cpu_arm().dotprod) sets[n++] = &kNeonDotprod;
#endif
  sets[n++] = &kPortable;
  return index >= 0 && index < n ? sets[index] : nullptr;
}

const Kernels* best() { return available(0); }

const Kernels* find(const char* name) {
  for (int i = 0; const Kernels* set = available(i); i++)
    if (std::strcmp(set->name, name) == 0) return set;
  return nullptr;
}

int64_t attention_queries(int64_t group) {
  return group < kAttentionRows ? kAttentionRows / group : 1;
}

void rope_angles(int64_t position, int64_t head_dim, double base, const float* factors,
                 float* angles) {
  const int64_t half = head_dim / 2;
  for (int64_t i = 0; i < half; i++) {
    double angle = static_cast<double>(position) *
                   std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    if (factors != nullptr) angle /= static_cast<double>(factors[i]);
    angles[i] = static_cast<float>(std::cos(angle));
    angles[half + i] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace qwen3_embed::kernels
