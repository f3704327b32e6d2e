// CPUs a process may use, read from trees of /proc and /sys like those of real machines, and from
// this one.
#include "core/machine/cpus.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "check.h"
#include "core/machine/text_files.h"
#include "gguf_builder.h"

namespace {

using namespace qwen3_embed;
using Cpus = qwen3_embed::Cpus;

// Eight logical CPUs in two threads a core, as Linux numbers them: 0 and 4 are one core.
class Tree {
 public:
  Tree() {
    put("sys/devices/system/cpu/online", "0-7\n");
    put("sys/devices/system/node/online", "0-1\n");
    put("sys/devices/system/node/node0/cpulist", "0-1,4-5\n");
    put("sys/devices/system/node/node1/cpulist", "2-3,6-7\n");
    for (int cpu = 0; cpu < 8; ++cpu) {
      const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(cpu);
      const std::string pair = std::to_string(cpu % 4) + "," + std::to_string(cpu % 4 + 4);
      put(folder + "/topology/thread_siblings_list", pair + "\n");
      put(folder + "/cache/index0/type", "Data\n"), put(folder + "/cache/index0/size", "48K\n");
      put(folder + "/cache/index1/type", "Instruction\n");
      put(folder + "/cache/index1/size", "32K\n");
      put(folder + "/cache/index2/type", "Unified\n"), put(folder + "/cache/index2/size", "2M\n");
    }
  }
  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = std::filesystem::u8path(folder_.path()) / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  void v2(const std::string& group, const std::string& mounted = "/") const {
    put("proc/self/cgroup", "0::" + group + "\n");
    put("proc/self/mountinfo",
        "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
        "30 22 0:26 " +
            mounted + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  void v1(const std::string& group, const std::string& mounted = "/") const {
    put("proc/self/cgroup", "12:memory:/other\n5:cpuset:" + group + "\n4:cpu,cpuacct:" + group +
                                "\n1:name=systemd:/x\n");
    put("proc/self/mountinfo",
        "31 22 0:27 " + mounted +
            " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
            "32 22 0:28 " +
            mounted + " /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n");
  }
  Cpus read(const std::vector<int>& affinity = {0, 1, 2, 3, 4, 5, 6, 7}) const {
    return read_cpus(folder_.path(), affinity);
  }

 private:
  gguf_builder::Folder folder_;
};

bool near(const std::optional<double>& value, double wanted) {
  return value && *value > wanted - 1e-9 && *value < wanted + 1e-9;
}

void bare_machine() {
  const Tree tree;
  const Cpus cpus = tree.read();
  CHECK(cpus.n_machine == 8 && cpus.allowed.size() == 8 && cpus.n_cores == 4 && cpus.n_nodes == 2);
  CHECK(!cpus.quota);
  CHECK((cpus.cache_bytes == std::vector<int64_t>{48 << 10, 2 << 20}));
  CHECK(default_threads(cpus).n == 4 && default_threads(cpus).reason == "4 physical cores");
}

void crews() {
  for (const int n_threads : {0, 1, 8, 31}) CHECK(default_crews(n_threads) == 1);
#ifdef __linux__
  CHECK(default_crews(32) == 4 && default_crews(63) == 7);
  CHECK(default_crews(64) == 8 && default_crews(192) == 8);
#endif
}

void affinity() {
  const Tree tree;
  CHECK(tree.read({0, 4}).n_cores == 1 && tree.read({0, 4}).n_nodes == 1);
  CHECK(tree.read({0, 1}).n_cores == 2);
  CHECK(tree.read({5}).n_cores == 1);
  const Threads threads = default_threads(tree.read({0, 1, 2}));
  CHECK(threads.n == 3);
  CHECK(threads.reason == "3 physical cores of the 3 CPUs this process may use");
}

void quota_v2() {
  const Tree tree;
  tree.v2("/docker/abc");
  tree.put("sys/fs/cgroup/docker/abc/cpu.max", "max 100000\n");
  CHECK(!tree.read().quota && default_threads(tree.read()).n == 4);
  tree.put("sys/fs/cgroup/docker/abc/cpu.max", "200000 100000\n");
  CHECK(near(tree.read().quota, 2) && default_threads(tree.read()).n == 2);
  // The group around it leaves less.
  tree.put("sys/fs/cgroup/docker/cpu.max", "100000 100000\n");
  CHECK(near(tree.read().quota, 1) && default_threads(tree.read()).n == 1);
  CHECK(default_threads(tree.read()).reason ==
        "a quota of 1.00 CPUs (/sys/fs/cgroup/docker/cpu.max), less than the 4 physical cores");
  tree.put("sys/fs/cgroup/docker/cpu.max", "25000 100000\n");
  CHECK(near(tree.read().quota, 0.25) && default_threads(tree.read()).n == 1);
  tree.put("sys/fs/cgroup/docker/cpu.max", "390000 100000\n");
  tree.put("sys/fs/cgroup/docker/abc/cpu.max", "295000 100000\n");
  CHECK(default_threads(tree.read()).n == 3);
  tree.put("sys/fs/cgroup/docker/abc/cpu.max", "900000 100000\n");
  tree.put("sys/fs/cgroup/docker/cpu.max", "900000 100000\n");
  CHECK(default_threads(tree.read()).n == 4);
}

// In a container the mount begins at its own group, whatever name /proc gives that.
void quota_in_a_container() {
  const Tree tree;
  for (const char* group : {"/docker/abc", "/", "/../.."}) {
    tree.v2(group, "/docker/abc");
    tree.put("sys/fs/cgroup/cpu.max", "150000 100000\n");
    CHECK(near(tree.read().quota, 1.5));
  }
}

void quota_v1() {
  const Tree tree;
  tree.v1("/docker/abc");
  const std::string folder = "sys/fs/cgroup/cpu,cpuacct/docker";
  tree.put(folder + "/abc/cpu.cfs_quota_us", "-1\n");
  tree.put(folder + "/abc/cpu.cfs_period_us", "100000\n");
  CHECK(!tree.read().quota);
  tree.put(folder + "/cpu.cfs_quota_us", "300000\n");
  tree.put(folder + "/cpu.cfs_period_us", "100000\n");
  CHECK(near(tree.read().quota, 3) && default_threads(tree.read()).n == 3);
  tree.put(folder + "/abc/cpu.cfs_quota_us", "50000\n");
  CHECK(near(tree.read().quota, 0.5) && default_threads(tree.read()).n == 1);
}

void cpusets() {
  const Tree tree;
  tree.v2("/a");
  tree.put("sys/fs/cgroup/a/cpuset.cpus.effective", "1,5\n");
  CHECK((tree.read().allowed == std::vector<int>{1, 5}) && tree.read().n_cores == 1);
  // Affinity is within the cpuset unless something is wrong; then it is what counts.
  CHECK((tree.read({0, 1}).allowed == std::vector<int>{1}));
  CHECK((tree.read({0}).allowed == std::vector<int>{0}));
  const Tree old;
  old.v1("/a");
  old.put("sys/fs/cgroup/cpuset/a/cpuset.effective_cpus", "2-3\n");
  CHECK((old.read().allowed == std::vector<int>{2, 3}) && old.read().n_cores == 2);
}

void nothing_and_garbage() {
  const gguf_builder::Folder empty;
  const Cpus none = read_cpus(empty.path(), std::vector<int>{0, 1});
  CHECK(none.n_cores == 2 && !none.quota && none.n_nodes == 1 && none.cache_bytes.empty());
  CHECK(read_cpus(empty.path(), std::vector<int>{}).n_cores >= 1);
  const std::string huge(2 << 20, '9'), zeros(100, '\0');
  const std::string texts[] = {"",      "\n",       "max", "1",         "-5 100000",
                               "1 0",   "0 100000", "a b", "1 2 3",     "99999999999999999999 1",
                               "1e3 1", huge,       zeros, "\xff\xfe 1"};
  for (const std::string& text : texts) {
    const Tree tree;
    tree.v2("/a");
    tree.put("sys/fs/cgroup/a/cpu.max", text);
    tree.put("sys/fs/cgroup/a/cpuset.cpus.effective", text == "1" ? "x" : text);
    tree.put("sys/devices/system/cpu/cpu0/cache/index0/size", text);
    tree.put("sys/devices/system/node/online", text);
    const Cpus cpus = tree.read();
    CHECK(!cpus.quota && cpus.n_cores >= 1 && cpus.n_cores <= 4 && cpus.n_nodes >= 1);
  }
  for (const std::string& text : texts) {
    for (const char* path : {"proc/self/cgroup", "proc/self/mountinfo"}) {
      const Tree tree;
      tree.v2("/a");
      tree.put(path, text + "\n");
      CHECK(!tree.read().quota && tree.read().n_cores == 4);
    }
  }
  CHECK(cpu_list("3,1-2,2") == (std::vector<int>{1, 2, 3}));
  for (const char* list : {"1-", "-1", "2-1", "1,,2", "0-99999999", "a", "1 2"})
    CHECK(cpu_list(list).empty());
}

void this_machine() {
  const Cpus cpus = read_cpus();
  const Threads threads = default_threads(cpus);
  std::printf("%d CPUs, %zu allowed, %d cores, quota %s: %d threads, %s\n", cpus.n_machine,
              cpus.allowed.size(), cpus.n_cores,
              cpus.quota ? std::to_string(*cpus.quota).c_str() : "none", threads.n,
              threads.reason.c_str());
  CHECK(threads.n >= 1 && !threads.reason.empty());
#ifdef __linux__
  // Run anew on one CPU, where that tool is there.
  const std::string expected = std::getenv("QWEN3_EXPECT_THREADS") ? "1" : "";
  if (!expected.empty()) CHECK(threads.n == 1 && cpus.allowed.size() == 1);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  this_machine();
  if (std::getenv("QWEN3_EXPECT_THREADS")) return check::finish();
#ifdef __linux__
  if (argc > 0 && std::system("taskset --version > /dev/null 2>&1") == 0) {
    const std::string command = "QWEN3_EXPECT_THREADS=1 taskset -c " +
                                std::to_string(read_cpus().allowed.front()) + " " + argv[0];
    CHECK(std::system(command.c_str()) == 0);
  }
#endif
  bare_machine();
  crews();
  affinity();
  quota_v2();
  quota_in_a_container();
  quota_v1();
  cpusets();
  nothing_and_garbage();
  return check::finish();
}
