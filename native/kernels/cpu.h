#pragma once

namespace qwen3_embed::kernels {

// What both the processor and the operating system (saved registers) provide.
struct Cpu {
  bool avx2;         // with FMA and F16C
  bool avx_vnni;     // and avx2
  bool avx512_vnni;  // with F, BW, DQ, VL; and avx2
  bool avx512_bf16;  // and avx512_vnni
};

const Cpu& cpu();

}  // namespace qwen3_embed::kernels
