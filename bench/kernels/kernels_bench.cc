// Rates of the kernels beside what the machine could do at most, measured in the same run.
//
//   kernels_bench [--set NAME] [--type TYPE] [--threads 1,2] [--rows 1,12,512] [--attention]
//   [--seconds 0.25]
//
// A product is repeated for a while; median and best are printed, since neighbours on a shared
// machine slow some repetitions down. Few rows are multiplied with a different copy of the weights
// each time (256 MB of them), as a pass does.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "kernels/kernels.h"
#include "roofline.h"

using namespace qwen3_embed::kernels;

namespace {

using Clock = std::chrono::steady_clock;

struct Buffer {
  explicit Buffer(size_t size) : bytes(size), memory(new char[size + 64]) {
    data = memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64);
  }
  size_t bytes;
  std::unique_ptr<char[]> memory;
  char* data;
};

// Threads that wait spinning, as ggml's do: starting threads would cost as much as a small product.
class Crew {
 public:
  explicit Crew(int n) : n_(n) {
    for (int i = 1; i < n; i++) threads_.emplace_back([this, i] { wait(i); });
  }
  ~Crew() {
    run(nullptr, nullptr);
    for (auto& thread : threads_) thread.join();
  }
  template <class Work>
  void all(Work& work) {
    run([](void* w, int i) { (*static_cast<Work*>(w))(i); }, &work);
  }

 private:
  using Call = void (*)(void*, int);
  void run(Call call, void* work) {
    call_ = call;
    work_ = work;
    left_.store(n_ - 1);
    turn_.fetch_add(1);
    if (call) call(work, 0);
    while (call && left_.load() > 0) {
    }
  }
  void wait(int i) {
    for (int seen = 0;;) {
      while (turn_.load() == seen) {
      }
      seen++;
      if (!call_) return;
      call_(work_, i);
      left_.fetch_sub(1);
    }
  }
  int n_;
  Call call_ = nullptr;
  void* work_ = nullptr;
  std::atomic<int> turn_{0}, left_{0};
  std::vector<std::thread> threads_;
};

double seconds_each = 0.25;

struct Times {
  double median, best;
};

double now(bool own_time) {
#ifdef CLOCK_THREAD_CPUTIME_ID
  if (own_time) {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  }
#endif
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// One thread is timed by its own processor time, which a busy machine lengthens less than the time
// on the wall.
template <class Work>
Times measure(double seconds, bool alone, Work work) {
  work();
  std::vector<double> times;
  for (const double begin = now(false); times.size() < 7 || now(false) - begin < seconds;) {
    const double start = now(alone);
    work();
    times.push_back(now(alone) - start);
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[0]};
}

struct NamedType {
  const char* name;
  WeightType type;
};
const NamedType kTypes[] = {{"Q8_0", WeightType::kQ8_0}, {"Q4_0", WeightType::kQ4_0},
                            {"Q4_K", WeightType::kQ4_K}, {"Q5_K", WeightType::kQ5_K},
                            {"Q6_K", WeightType::kQ6_K}, {"F16", WeightType::kF16},
                            {"BF16", WeightType::kBf16}, {"F32", WeightType::kF32}};

struct Shape {
  int64_t k, n;
};
const Shape kShapes[] = {{1024, 3072}, {3072, 1024}, {1024, 2048}, {1024, 4096}};

void bench_product(const Kernels& set, const NamedType& type, Shape shape, int64_t m, Crew& crew,
                   int n_threads) {
  std::mt19937 random_bits(1);
  const size_t bytes = set.packed_bytes(type.type, shape.n, shape.k);
  const size_t copies = m <= 32 ? std::max<size_t>(1, (size_t{256} << 20) / bytes) : 1;
  // Any bytes are weights; small exponents keep the floats among them finite.
  std::vector<uint8_t> source(static_cast<size_t>(shape.n) * source_row_bytes(type.type, shape.k));
  for (auto& byte : source) byte = static_cast<uint8_t>(random_bits() & 0x3f);
  Buffer packed(bytes * copies);
  for (size_t i = 0; i < copies; i++)
    set.pack(type.type, source.data(), shape.n, shape.k, 0, (shape.n + set.panel - 1) / set.panel,
             packed.data + i * bytes);

  const RowFormat format = set.row_format(type.type);
  Buffer row_memory(set.rows_bytes(format, m, shape.k));
  const Rows rows{format, m, shape.k, row_memory.data};
  std::vector<float> x(static_cast<size_t>(shape.k)), out(static_cast<size_t>(m * shape.n));
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < m; i++) {
    for (float& f : x) f = normal(random_bits);
    set.store_row(x.data(), rows, i);
  }
  size_t turn = 0;
  std::vector<double> busy(static_cast<size_t>(n_threads)), busiest;
  const Times t = measure(seconds_each, n_threads == 1, [&] {
    const Weights weights{type.type, shape.n, shape.k, packed.data + turn++ % copies * bytes};
    auto work = [&](int i) {
      const double start = now(true);
      set.matmul(weights, rows, out.data(), shape.n, nullptr, 0, i, n_threads);
      busy[static_cast<size_t>(i)] = now(true) - start;
    };
    crew.all(work);
    busiest.push_back(*std::max_element(busy.begin(), busy.end()));
  });
  std::sort(busiest.begin(), busiest.end());
  const double operations = 2.0 * static_cast<double>(m * shape.n * shape.k);
  std::printf(
      "%-12s %-5s %5lld x %-5lld m %4lld  threads %d  %6.0f GOPS (best %6.0f; busiest thread's own "
      "time %6.0f)  "
      "%5.1f GB/s of weights\n",
      set.name, type.name, static_cast<long long>(shape.k), static_cast<long long>(shape.n),
      static_cast<long long>(m), n_threads, operations / t.median / 1e9, operations / t.best / 1e9,
      operations / busiest[busiest.size() / 2] / 1e9, static_cast<double>(bytes) / t.median / 1e9);
}

// Gate, up and SwiGLU one after the other, and as one product; one thread.
void bench_gated(const Kernels& set, const NamedType& type, int64_t m) {
  if (set.matmul_swiglu == nullptr) return;
  const int64_t k = 1024, n = 3072;
  std::mt19937 random_bits(1);
  std::vector<uint8_t> source(static_cast<size_t>(n) * source_row_bytes(type.type, k));
  for (auto& byte : source) byte = static_cast<uint8_t>(random_bits() & 0x3f);
  const size_t bytes = set.packed_bytes(type.type, n, k);
  Buffer packed[2] = {Buffer(bytes), Buffer(bytes)};
  for (const Buffer& buffer : packed)
    set.pack(type.type, source.data(), n, k, 0, (n + set.panel - 1) / set.panel, buffer.data);
  const Weights gate{type.type, n, k, packed[0].data}, up{type.type, n, k, packed[1].data};

  const RowFormat format = set.row_format(type.type);
  Buffer in(set.rows_bytes(format, m, k)), out(set.rows_bytes(format, m, n));
  const Rows rows{format, m, k, in.data}, gated{format, m, n, out.data};
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(k));
  for (int64_t i = 0; i < m; i++) {
    for (float& f : x) f = normal(random_bits);
    set.store_row(x.data(), rows, i);
  }
  std::vector<float> gates(static_cast<size_t>(m * n)), ups(gates.size());
  const Times steps = measure(seconds_each, true, [&] {
    set.matmul(gate, rows, gates.data(), n, nullptr, 0, 0, 1);
    set.matmul(up, rows, ups.data(), n, nullptr, 0, 0, 1);
    for (int64_t i = 0; i < m; i++)
      set.swiglu_row(gates.data() + i * n, ups.data() + i * n, gated, i);
  });
  const Times once =
      measure(seconds_each, true, [&] { set.matmul_swiglu(gate, up, rows, gated, 0, 1); });
  const double operations = 4.0 * static_cast<double>(m * n * k);
  std::printf(
      "%-12s %-5s gate, up and SwiGLU, m %4lld: %6.0f GOPS (best %.0f); at once %6.0f (%.0f)\n",
      set.name, type.name, static_cast<long long>(m), operations / steps.median / 1e9,
      operations / steps.best / 1e9, operations / once.median / 1e9, operations / once.best / 1e9);
}

void bench_attention(const Kernels& set, int64_t length, int64_t group, Rounding rounding) {
  constexpr const char* kWords[] = {"        ", ", codes,", ", BF16, "};
  const int64_t head_dim = 128;
  std::mt19937 random_bits(1);
  std::normal_distribution<float> normal;
  const int64_t kv_stride = 8 * head_dim, q_stride = 8 * group * head_dim;
  std::vector<float> q(static_cast<size_t>(length * q_stride)),
      k(static_cast<size_t>(length * kv_stride)), v(k.size()), out(q.size());
  for (auto* values : {&q, &k, &v})
    for (float& f : *values) f = normal(random_bits);
  Buffer scratch(kAttentionScratch);
  const KeyRun run{k.data(), v.data(), length};
  Attention a{head_dim,  group,      0.088f,   rounding, true,        0, 0,
              length,    q.data(),   q_stride, head_dim, &run,        1, kv_stride,
              kv_stride, out.data(), q_stride, head_dim, scratch.data};
  const int64_t tile = attention_queries(group);
  const Times t = measure(seconds_each, true, [&] {
    for (int64_t i = 0; i < length; i += tile) {
      a.position = i;
      a.n_queries = std::min(tile, length - i);
      a.q = q.data() + i * q_stride;
      a.out = out.data() + i * q_stride;
      set.attention(a);
    }
  });
  // Two products of head_dim for every visible pair.
  const double operations =
      2.0 * 2.0 * static_cast<double>(length * (length + 1) / 2 * group * head_dim);
  std::printf(
      "%-12s attention%s %5lld tokens, %lld heads per KV head  %6.0f GFLOPS (best %6.0f)  %8.1f "
      "us\n",
      set.name, kWords[static_cast<int>(rounding)], static_cast<long long>(length),
      static_cast<long long>(group), operations / t.median / 1e9, operations / t.best / 1e9,
      t.median * 1e6);
}

void bench_rows(const Kernels& set) {
  const int64_t k = 3072;
  std::vector<float> gate(k, 0.5f), up(k, 0.25f), angles(128, 0.5f), heads(16 * 128, 1.0f);
  Buffer memory(set.rows_bytes(RowFormat::kQ8, 6, k));
  const Rows rows{RowFormat::kQ8, 6, k, memory.data};
  const auto report = [&](const char* what, Times t, double n) {
    std::printf("%-12s %-22s %6.2f ns a value (best %.2f)\n", set.name, what, t.median / n * 1e9,
                t.best / n * 1e9);
  };
  report("store_row Q8",
         measure(0.05, true,
                 [&] {
                   for (int i = 0; i < 100; i++) set.store_row(gate.data(), rows, i % 6);
                 }),
         100.0 * k);
  report("rms_norm_row Q8",
         measure(0.05, true,
                 [&] {
                   for (int i = 0; i < 100; i++)
                     set.rms_norm_row(gate.data(), up.data(), 1e-6f, rows, i % 6);
                 }),
         100.0 * k);
  report("swiglu_row Q8",
         measure(0.05, true,
                 [&] {
                   for (int i = 0; i < 100; i++)
                     set.swiglu_row(gate.data(), up.data(), rows, i % 6);
                 }),
         100.0 * k);
  report("norm_rope",
         measure(0.05, true,
                 [&] {
                   for (int i = 0; i < 100; i++)
                     set.norm_rope(heads.data(), 16, 128, 128, up.data(), 1e-6f, angles.data());
                 }),
         100.0 * 2048);
}

std::vector<int> numbers(const std::string& text) {
  std::vector<int> out;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) out.push_back(std::atoi(part.c_str()));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::string only_set, only_type;
  std::vector<int> threads = {1, 2}, row_counts = {1, 6, 12, 32, 512};
  bool attention_only = false;
  for (int i = 1; i < argc; i++) {
    const std::string option = argv[i];
    if (option == "--attention")
      attention_only = true;
    else if (i + 1 < argc && option == "--seconds")
      seconds_each = std::atof(argv[++i]);
    else if (i + 1 < argc && option == "--set")
      only_set = argv[++i];
    else if (i + 1 < argc && option == "--type")
      only_type = argv[++i];
    else if (i + 1 < argc && option == "--threads")
      threads = numbers(argv[++i]);
    else if (i + 1 < argc && option == "--rows")
      row_counts = numbers(argv[++i]);
    else
      return std::fprintf(stderr, "unknown option %s\n", argv[i]), 2;
  }
  if (only_set.empty()) only_set = best()->name;

  std::printf("one core at most: int8 %.0f GOPS, float %.0f GFLOPS, bf16 %.0f GFLOPS\n",
              peak_int8_gops(), peak_float_gops(), peak_bf16_gops());
  {
    Buffer memory(size_t{512} << 20);
    std::memset(memory.data, 1, memory.bytes);
    for (int n : threads) {
      Crew crew(n);
      // A stretch at a time, each out of cache by the time its turn comes again.
      const size_t stretch = size_t{16} << 20, part = stretch / static_cast<size_t>(n);
      size_t turn = 0;
      volatile unsigned long long keep = 0;
      auto work = [&](int i) {
        keep = read_through(
            memory.data + turn % (memory.bytes / stretch) * stretch + static_cast<size_t>(i) * part,
            part);
      };
      const Times t = measure(1, n == 1, [&] {
        turn++;
        crew.all(work);
      });
      std::printf("memory, %d threads: %.1f GB/s (best %.1f)\n", n,
                  static_cast<double>(stretch) / t.median / 1e9,
                  static_cast<double>(stretch) / t.best / 1e9);
    }
  }
  for (int i = 0; const Kernels* set = available(i); i++) {
    if (only_set != "all" && only_set != set->name) continue;
    for (Rounding rounding : {Rounding::kNone, Rounding::kCodes, Rounding::kBf16}) {
      for (int64_t length : {16, 128, 512, 4096}) bench_attention(*set, length, 2, rounding);
      bench_attention(*set, 512, 4, rounding);
    }
    bench_rows(*set);
    if (attention_only) continue;
    for (const NamedType& type : kTypes) {
      if (!only_type.empty() && only_type != type.name) continue;
      for (int n : threads) {
        Crew crew(n);
        for (int m : row_counts)
          for (Shape shape : kShapes) bench_product(*set, type, shape, m, crew, n);
      }
      for (int m : row_counts) bench_gated(*set, type, m);
    }
  }
}
