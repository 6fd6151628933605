#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "masksc/core/memory.hpp"

namespace masksc {
namespace {

/// The number in the first line of a file of the kernel; infinite where there is none ("max").
double number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? number : std::numeric_limits<double>::infinity();
}

double available_on_node() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    double kib = 0;
    constexpr std::string_view key = "MemAvailable:";
    if (!line.starts_with(key)) continue;
    const std::size_t digits = line.find_first_not_of(' ', key.size());
    if (digits == std::string::npos) break;
    std::from_chars(line.data() + digits, line.data() + line.size(), kib);
    return kib * 1024;
  }
  return std::numeric_limits<double>::infinity();
}

/// Bytes of pages of files, which the kernel gives up when they are needed: "NAME BYTES" lines of memory.stat.
double cached_in(const std::filesystem::path& statistics, const std::string& prefix) {
  std::ifstream file(statistics);
  std::string name;
  double cached = 0;
  for (double bytes = 0; file >> name >> bytes;)
    if (name == prefix + "inactive_file" || name == prefix + "active_file") cached += bytes;
  return cached;
}

/// How cgroups of a version tell of memory.
struct GroupFiles {
  std::string_view line;  // of /proc/self/cgroup, before the path
  const char* root;
  const char* limit;
  const char* used;
  const char* prefix;  // in memory.stat, of what this group and those within it have
};
constexpr std::array<GroupFiles, 2> group_versions = {
    {{":memory:/", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"},
     {"0::/", "/sys/fs/cgroup", "memory.max", "memory.current", ""}}};

/// What the cgroup at `group` and those around it leave; infinite where nothing limits them.
double available_in(const std::filesystem::path& group, const GroupFiles& files) {
  const double limit = number_in(group / files.limit);
  double left = std::numeric_limits<double>::infinity();
  if (std::isfinite(limit))
    left = limit - number_in(group / files.used) + cached_in(group / "memory.stat", files.prefix);
  if (group != files.root && group != group.root_path())
    left = std::min(left, available_in(group.parent_path(), files));
  return std::max(left, 0.0);
}

/// What the cgroups of this process leave.
double available_in_groups() {
  std::ifstream file("/proc/self/cgroup");
  double least = std::numeric_limits<double>::infinity();
  for (std::string line; std::getline(file, line);)
    for (const GroupFiles& files : group_versions)
      if (const std::size_t at = line.find(files.line); at != std::string::npos)
        least = std::min(least,
                         available_in(std::filesystem::path(files.root) / line.substr(at + files.line.size()), files));
  return least;
}

}  // namespace

double free_memory() { return std::min(available_on_node(), available_in_groups()); }

}  // namespace masksc
