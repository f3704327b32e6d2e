#pragma once

namespace qwen3_embed::kernels {

// What the processor and the operating system provide beyond 64-bit ARM's first version.
struct CpuArm {
  bool dotprod;  // sdot
  bool i8mm;     // smmla; and dotprod. Nothing is asked about SVE: some processors have this alone
};

const CpuArm& cpu_arm();

}  // namespace qwen3_embed::kernels
