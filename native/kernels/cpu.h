#pragma once

namespace qwen3_embed::kernels {

// What both the processor and the operating system (saved registers) provide.
struct Cpu {
  bool avx2;         // with FMA and F16C
  bool avx_vnni;     // and avx2
  bool avx512_vnni;  // with F, BW, DQ, VL; and avx2
  bool avx512_bf16;  // and avx512_vnni
  bool amx_bf16;     // with VBMI, and tiles that this process may use; and avx512_bf16
};

const Cpu& cpu();

}  // namespace qwen3_embed::kernels
