#include "cpu.h"

#include <cstdint>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif

namespace qwen3_embed::kernels {
namespace {

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r{};
#ifdef _MSC_VER
  int out[4];
  __cpuid(out, 0);
  if (static_cast<uint32_t>(out[0]) < leaf) return r;
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]), static_cast<uint32_t>(out[2]),
       static_cast<uint32_t>(out[3])};
#else
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
#endif
  return r;
}

// Which register files the operating system saves. Only called where OSXSAVE says the instruction
// exists.
uint64_t saved_state() {
#ifdef _MSC_VER
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
#endif
}

// Linux saves tiles only for a process that has asked for them (a signal stack may have to be
// larger then: it refuses where one is too small). Other systems are not known to us.
bool may_use_tiles() {
#ifdef __linux__
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool bit(uint32_t word, int index) { return (word >> index & 1u) != 0; }

Cpu detect() {
  // SSE and AVX halves; and masks, zmm halves, zmm16..31; the tiles' shapes and their data.
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;
  Cpu cpu{};
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0), seven_one = cpuid(7, 1);
  if (!bit(one.ecx, 27)) return cpu;  // OSXSAVE
  const uint64_t saved = saved_state();
  cpu.avx2 = (saved & kYmm) == kYmm && bit(one.ecx, 28) && bit(one.ecx, 12) && bit(one.ecx, 29) &&
             bit(seven.ebx, 5);
  cpu.avx_vnni = cpu.avx2 && bit(seven_one.eax, 4);
  cpu.avx512_vnni = cpu.avx2 && (saved & kZmm) == kZmm && bit(seven.ebx, 16) &&
                    bit(seven.ebx, 17) && bit(seven.ebx, 30) && bit(seven.ebx, 31) &&
                    bit(seven.ecx, 11);
  cpu.avx512_bf16 = cpu.avx512_vnni && bit(seven_one.eax, 5);
  cpu.amx_bf16 = cpu.avx512_bf16 && (saved & kTiles) == kTiles && bit(seven.ecx, 1) &&
                 bit(seven.edx, 22) && bit(seven.edx, 24) && may_use_tiles();
  return cpu;
}

}  // namespace

const Cpu& cpu() {
  static const Cpu detected = detect();
  return detected;
}

}  // namespace qwen3_embed::kernels
