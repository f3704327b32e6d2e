#include "cpu_arm.h"

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#elif defined(_WIN32)
#include <windows.h>
#endif

namespace qwen3_embed::kernels {
namespace {

#if defined(__linux__)
CpuArm detect() {
  constexpr unsigned long kAsimdDp = 1ul << 20;  // of AT_HWCAP
  constexpr unsigned long kI8mm = 1ul << 13;     // of AT_HWCAP2
  const bool dotprod = (getauxval(AT_HWCAP) & kAsimdDp) != 0;
  return {dotprod, dotprod && (getauxval(AT_HWCAP2) & kI8mm) != 0};
}
#elif defined(__APPLE__)
bool has(const char* feature) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}

// A name that a system does not know counts as absent: FEAT_I8MM came with the M2.
CpuArm detect() {
  const bool dotprod = has("hw.optional.arm.FEAT_DotProd");
  return {dotprod, dotprod && has("hw.optional.arm.FEAT_I8MM")};
}
#elif defined(_WIN32)
CpuArm detect() {
  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE and PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE, which not
  // every SDK names; a Windows that does not know a number says no.
  constexpr DWORD kDotProduct = 43, kI8mm = 66;
  const bool dotprod = IsProcessorFeaturePresent(kDotProduct) != 0;
  return {dotprod, dotprod && IsProcessorFeaturePresent(kI8mm) != 0};
}
#else
CpuArm detect() { return {}; }
#endif

}  // namespace

const CpuArm& cpu_arm() {
  static const CpuArm detected = detect();
  return detected;
}

}  // namespace qwen3_embed::kernels
