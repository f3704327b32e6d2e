// What the tests of kernels share: counted checks, numbers to test with, memory with ends that
// show.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/kernels.h"

namespace qwen3_embed::kernels {

inline int passed = 0, failed = 0;

#define CHECK(condition, ...)                     \
  do {                                            \
    if (condition) {                              \
      passed++;                                   \
    } else {                                      \
      failed++;                                   \
      std::printf("%s:%d: ", __FILE__, __LINE__); \
      std::printf("%s: ", #condition);            \
      std::printf(__VA_ARGS__);                   \
      std::printf("\n");                          \
    }                                             \
  } while (0)

float normal();
int64_t integer(int64_t low, int64_t high);
std::vector<float> random_floats(int64_t n, double scale = 1);

bool same(const float* a, const float* b, int64_t n);

// Exactly as many bytes as asked for, so that the address sanitizer sees one too many.
struct Aligned {
  explicit Aligned(size_t size) : bytes(size) {
    const size_t slack = kAlignment + size;
    memory.reset(new char[slack]);
    const auto address = reinterpret_cast<uintptr_t>(memory.get());
    data = memory.get() + (kAlignment - address % kAlignment) % kAlignment;
    end = memory.get() + slack;
    // Bits of a NaN: whatever is read without having been written shows.
    std::memset(memory.get(), 0xff, slack);
  }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data);
  }
  bool intact() const {
    for (const char* p = data + bytes; p < end; p++)
      if (*p != '\xff') return false;
    return true;
  }
  size_t bytes;
  std::unique_ptr<char[]> memory;
  char* data;
  char* end;
};

// ---- the tests, each of one set ----

void test_products(const Kernels& set);
void test_longest_sums(const Kernels& set);
void test_non_finite(const Kernels& set);
void test_quantisation(const Kernels& set);
void test_rows(const Kernels& set);
void test_rope(const Kernels& set);
void test_scan(const Kernels& set);
void test_attention(const Kernels& set, Rounding rounding);
void test_attention_non_finite(const Kernels& set, Rounding rounding);

}  // namespace qwen3_embed::kernels
