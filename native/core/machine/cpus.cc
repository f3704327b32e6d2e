#include "core/machine/cpus.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <thread>

#include "core/machine/cgroup.h"
#include "core/machine/text_files.h"

#ifdef __linux__
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif

namespace qwen3_embed {
namespace {

int logical_cpus() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

#ifdef __linux__

// Masks grow until the kernel's fits.
std::vector<int> affinity_of_this_process() {
  for (int n = 1024; n <= 1 << 18; n *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(n));
    if (set == nullptr) return {};
    const size_t n_bytes = CPU_ALLOC_SIZE(static_cast<size_t>(n));
    const bool known = sched_getaffinity(0, n_bytes, set) == 0;
    std::vector<int> cpus;
    for (int cpu = 0; known && cpu < n; ++cpu) {
      if (CPU_ISSET_S(static_cast<size_t>(cpu), n_bytes, set)) cpus.push_back(cpu);
    }
    CPU_FREE(set);
    if (known) return cpus;
  }
  return {};
}

#endif

#if defined(__linux__) || !(defined(__APPLE__) || defined(_WIN32))

std::string cpu_folder(const std::string& root, int cpu) {
  return root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
}

int count_cores(const std::string& root, const std::vector<int>& cpus) {
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const std::string siblings =
        first_word(cpu_folder(root, cpu) + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? "cpu " + std::to_string(cpu) : siblings);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

std::vector<int64_t> read_caches(const std::string& root, int cpu) {
  std::vector<int64_t> sizes;
  for (int i = 0; i < 16; ++i) {
    const std::string index = cpu_folder(root, cpu) + "/cache/index" + std::to_string(i);
    const std::string type = first_word(index + "/type");
    if (type.empty()) break;
    if (type == "Instruction") continue;
    const std::string size = first_word(index + "/size");  // "48K"
    const std::optional<int64_t> number = whole_number(size.substr(0, size.find_first_of("KMG")));
    if (!number || *number < 0 || *number > int64_t{1} << 30) continue;
    const char unit = size.back();
    sizes.push_back(*number << (unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0));
  }
  return sizes;
}

int count_nodes(const std::string& root, const std::vector<int>& cpus) {
  int n = 0;
  for (const int node : cpu_list(first_word(root + "/sys/devices/system/node/online"))) {
    const std::vector<int> of_node = cpu_list(
        first_word(root + "/sys/devices/system/node/node" + std::to_string(node) + "/cpulist"));
    n += std::any_of(cpus.begin(), cpus.end(), [&](int cpu) {
      return std::find(of_node.begin(), of_node.end(), cpu) != of_node.end();
    });
  }
  return std::max(1, n);
}

#endif

}  // namespace

#if defined(__APPLE__)

Cpus read_cpus(const std::string&, const std::optional<std::vector<int>>&) {
  const auto ask = [](const char* name) -> int64_t {
    int64_t value = 0;
    size_t n_bytes = sizeof value;
    return sysctlbyname(name, &value, &n_bytes, nullptr, 0) == 0 ? value : 0;
  };
  Cpus cpus;
  cpus.n_machine = logical_cpus();
  // Cores made for speed, where there are two kinds.
  const int64_t fast = ask("hw.perflevel0.physicalcpu"), all = ask("hw.physicalcpu");
  const int64_t cores = fast > 0 ? fast : all;
  cpus.n_cores = cores > 0 ? static_cast<int>(cores) : cpus.n_machine;
  for (const char* name : {"hw.l1dcachesize", "hw.l2cachesize", "hw.l3cachesize"}) {
    if (const int64_t size = ask(name); size > 0) cpus.cache_bytes.push_back(size);
  }
  return cpus;
}

#elif defined(_WIN32)

Cpus read_cpus(const std::string&, const std::optional<std::vector<int>>&) {
  Cpus cpus;
  cpus.n_machine = logical_cpus();
  cpus.n_cores = cpus.n_machine;
  DWORD_PTR mine = 0, system = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &system) || mine == 0) return cpus;
  for (int cpu = 0; cpu < static_cast<int>(sizeof mine * 8); ++cpu) {
    if (mine >> cpu & 1) cpus.allowed.push_back(cpu);
  }
  DWORD n_bytes = 0;
  GetLogicalProcessorInformation(nullptr, &n_bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> parts(
      n_bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  if (parts.empty() || !GetLogicalProcessorInformation(parts.data(), &n_bytes)) return cpus;
  int n_cores = 0, n_nodes = 0;
  for (const SYSTEM_LOGICAL_PROCESSOR_INFORMATION& part : parts) {
    if ((part.ProcessorMask & mine) == 0) continue;
    n_cores += part.Relationship == RelationProcessorCore;
    n_nodes += part.Relationship == RelationNumaNode;
  }
  cpus.n_cores = std::max(1, n_cores);
  cpus.n_nodes = std::max(1, n_nodes);
  return cpus;
}

#else

Cpus read_cpus(const std::string& root, const std::optional<std::vector<int>>& affinity) {
  Cpus cpus;
  const std::vector<int> online = cpu_list(first_word(root + "/sys/devices/system/cpu/online"));
  cpus.n_machine = online.empty() ? logical_cpus() : static_cast<int>(online.size());
#ifdef __linux__
  cpus.allowed = affinity ? *affinity : affinity_of_this_process();
#endif
  if (cpus.allowed.empty()) cpus.allowed = online;
  const Cgroup cgroup = read_cgroup(root);
  if (!cgroup.cpuset.empty()) {
    std::vector<int> both;
    std::set_intersection(cpus.allowed.begin(), cpus.allowed.end(), cgroup.cpuset.begin(),
                          cgroup.cpuset.end(), std::back_inserter(both));
    if (!both.empty()) cpus.allowed = both;
  }
  cpus.quota = cgroup.quota;
  cpus.quota_file = cgroup.quota_file;
  cpus.n_cores = cpus.allowed.empty() ? cpus.n_machine : count_cores(root, cpus.allowed);
  cpus.cache_bytes = read_caches(root, cpus.allowed.empty() ? 0 : cpus.allowed.front());
  cpus.n_nodes = count_nodes(root, cpus.allowed);
  return cpus;
}

#endif

// A crew of more than some eight threads waits longer for its slowest and for turns to take items:
// by bench/crews little at 16, a tenth at 32, half at 128. But each crew holds a pack and the
// memory of its steps, so there are so many at most. On other systems than Linux nothing of this
// was run.
int default_crews(int n_threads) {
#ifdef __linux__
  constexpr int kFewThreads = 32, kThreadsOfCrew = 8, kMostCrews = 8;
  return n_threads < kFewThreads ? 1 : std::min(n_threads / kThreadsOfCrew, kMostCrews);
#else
  static_cast<void>(n_threads);
  return 1;
#endif
}

// Whole CPUs: a thread beyond them is stopped by the quota in the middle of a step, and all others
// wait for it.
Threads default_threads(const Cpus& cpus) {
  const std::string cores =
      std::to_string(cpus.n_cores) + (cpus.n_cores == 1 ? " physical core" : " physical cores");
  const size_t n_allowed = cpus.allowed.size();
  const std::string of = n_allowed > 0 && n_allowed < static_cast<size_t>(cpus.n_machine)
                             ? " of the " + std::to_string(n_allowed) + " CPUs this process may use"
                             : "";
  if (cpus.quota) {
    const int most = std::max(1, static_cast<int>(std::floor(*cpus.quota + 0.1)));
    if (most < cpus.n_cores) {
      std::string quota = std::to_string(*cpus.quota);
      quota.resize(quota.find('.') + 3);
      return {most, "a quota of " + quota + " CPUs (" + cpus.quota_file + "), less than the " +
                        cores + of};
    }
  }
  return {cpus.n_cores, cores + of};
}

}  // namespace qwen3_embed
