#include "core/machine/cgroup.h"

#include <algorithm>
#include <sstream>

#include "core/machine/text_files.h"

namespace qwen3_embed {
namespace {

// A hierarchy of control groups: where it is mounted, and which of its groups is seen there.
struct Mount {
  bool is_v2;
  std::string controllers;  // of v1: "rw,cpu,cpuacct"
  std::string group, folder;
};

bool lists(const std::string& list, const std::string& name) {
  return ("," + list + ",").find("," + name + ",") != std::string::npos;
}

// "36 35 98:0 /group /folder rw,noatime shared:1 - cgroup2 cgroup2 rw"
std::vector<Mount> read_mounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::istringstream lines(read_text_file(root + "/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4 || dash - words.begin() < 6) continue;
    const bool is_v2 = dash[1] == "cgroup2";
    if (is_v2 || dash[1] == "cgroup") mounts.push_back({is_v2, dash[3], words[3], words[4]});
  }
  return mounts;
}

struct Membership {
  std::string controllers;  // empty: the one hierarchy of v2
  std::string group;
};

// "4:cpu,cpuacct:/group", and "0::/group" of v2
std::vector<Membership> read_memberships(const std::string& root) {
  std::vector<Membership> memberships;
  std::istringstream lines(read_text_file(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line.compare(second + 1, 1, "/") != 0) continue;
    memberships.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return memberships;
}

// The group's folder and those around it, up to the mount, innermost first. In a container the
// mount often begins at the container's own group, or the group is named from outside it.
std::vector<std::string> folders_of(const Mount& mount, std::string group) {
  const std::string& top = mount.group;
  if (top != "/" && group.compare(0, top.size(), top) == 0) group.erase(0, top.size());
  if (group.find("/..") != std::string::npos) group.clear();
  while (!group.empty() && group.back() == '/') group.pop_back();
  std::vector<std::string> folders;
  for (; !group.empty(); group.erase(group.rfind('/'))) {
    if (group[0] != '/') break;
    folders.push_back(mount.folder + group);
  }
  folders.push_back(mount.folder);
  return folders;
}

std::optional<double> quota_of(const std::string& quota, const std::string& period) {
  const std::optional<int64_t> time = whole_number(quota), of = whole_number(period);
  if (!time || !of || *time <= 0 || *of <= 0) return std::nullopt;  // "max", -1
  return static_cast<double>(*time) / static_cast<double>(*of);
}

void read_group(const std::string& root, const std::string& folder, bool is_v2, Cgroup& cgroup) {
  std::string file = folder + (is_v2 ? "/cpu.max" : "/cpu.cfs_quota_us");
  std::vector<std::string> words = words_of(read_text_file(root + file));
  if (!is_v2) words.push_back(first_word(root + folder + "/cpu.cfs_period_us"));
  if (words.size() != 2) return;
  const std::optional<double> quota = quota_of(words[0], words[1]);
  if (!quota || (cgroup.quota && *cgroup.quota <= *quota)) return;
  cgroup.quota = quota;
  cgroup.quota_file = file;
}

}  // namespace

Cgroup read_cgroup(const std::string& root) {
  Cgroup cgroup;
  const std::vector<Membership> memberships = read_memberships(root);
  for (const Mount& mount : read_mounts(root)) {
    for (const Membership& membership : memberships) {
      const bool is_v2 = membership.controllers.empty();
      if (is_v2 != mount.is_v2) continue;
      const bool cpu =
          is_v2 || (lists(membership.controllers, "cpu") && lists(mount.controllers, "cpu"));
      const bool cpuset =
          is_v2 || (lists(membership.controllers, "cpuset") && lists(mount.controllers, "cpuset"));
      for (const std::string& folder : folders_of(mount, membership.group)) {
        if (cpu) read_group(root, folder, is_v2, cgroup);
        if (cpuset && cgroup.cpuset.empty()) {
          cgroup.cpuset = cpu_list(first_word(
              root + folder + (is_v2 ? "/cpuset.cpus.effective" : "/cpuset.effective_cpus")));
        }
      }
    }
  }
  return cgroup;
}

}  // namespace qwen3_embed
