// Which CPUs this process may use, and how much of them: affinity, cpusets and quotas of cgroups
// narrow down what the machine has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qwen3_embed {

struct Cpus {
  int n_machine = 1;                 // logical CPUs of the machine
  std::vector<int> allowed;          // of those, by affinity and cpuset; empty where unknown
  int n_cores = 1;                   // physical cores of the allowed ones
  std::optional<double> quota;       // CPUs' worth of time, the least along the cgroup's path
  std::string quota_file;            // that says so
  std::vector<int64_t> cache_bytes;  // of the first allowed CPU, innermost data cache first
  int n_nodes = 1;                   // NUMA nodes with an allowed CPU
};

// Linux: `root` stands before /proc and /sys, so that recorded trees can be read; `affinity`
// replaces what the system says of this process. What cannot be read or makes no sense is as if
// there were no such limit.
Cpus read_cpus(const std::string& root = "",
               const std::optional<std::vector<int>>& affinity = std::nullopt);

struct Threads {
  int n;
  std::string reason;  // "2 physical cores of the 4 CPUs this process may use"
};

// Threads that compute, unless the user says how many: one for each physical core, no more than the
// quota has time for.
Threads default_threads(const Cpus& cpus);

// Crews that so many threads are dealt out among, where there is work for several. Where few
// threads share a step, less of their time goes into waiting for each other (bench/crews).
int default_crews(int n_threads);

}  // namespace qwen3_embed
