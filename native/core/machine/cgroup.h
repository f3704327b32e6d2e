// What the control groups of Linux, of both versions, leave of the CPUs.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace qwen3_embed {

struct Cgroup {
  std::optional<double> quota;  // CPUs' worth of time: the least of this group and those around it
  std::string quota_file;       // that says so
  std::vector<int> cpuset;      // empty: no limit
};

// As read_cpus: `root` stands before /proc and /sys.
Cgroup read_cgroup(const std::string& root);

}  // namespace qwen3_embed
