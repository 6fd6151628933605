#include "masksc/simulate/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"
#include "masksc/simulate/draws.hpp"
#include "streams.hpp"

namespace masksc {
namespace {

constexpr std::int64_t kMostGroups = 10000;

[[noreturn]] void refuse(const std::string& text) {
  throw UserError(
      fmt::format("--groups needs a number of groups (5), sizes (500,300,200) or probabilities (0.5,0.3,0.2), not '{}'",
                  shown(text)));
}

template <typename T>
bool parse_all(const std::vector<std::string_view>& parts, std::vector<T>& values) {
  for (const std::string_view part : parts) {
    const auto value = number_of<T>(part);
    if (!value || !(*value > 0)) return false;
    values.push_back(*value);
  }
  return true;
}

GroupPlan equal_sizes(std::int64_t groups, std::int64_t cells) {
  if (groups > std::min(cells, kMostGroups))
    throw UserError(
        fmt::format("--groups {}: {} cells make at most {} groups", groups, cells, std::min(cells, kMostGroups)));
  GroupPlan plan;
  for (std::int64_t i = 0; i < groups; ++i) plan.sizes.push_back(cells * (i + 1) / groups - cells * i / groups);
  return plan;
}

}  // namespace

GroupPlan plan_groups(const std::string& text, std::int64_t cells) {
  const auto parts = split(text, ",");
  GroupPlan plan;
  if (text.find('.') == std::string::npos) {
    if (!parse_all(parts, plan.sizes)) refuse(text);
    if (plan.sizes.size() == 1) return equal_sizes(plan.sizes.front(), cells);
    std::int64_t total = 0;
    for (const std::int64_t size : plan.sizes) total += std::min(size, cells + 1);  // no overflow
    if (total != cells)
      throw UserError(fmt::format("--groups {}: the sizes add up to {}, but --cells is {}", shown(text),
                                  total > cells ? "more" : fmt::format("{}", total), cells));
    return plan;
  }
  if (!parse_all(parts, plan.probabilities)) refuse(text);
  const double total = std::accumulate(plan.probabilities.begin(), plan.probabilities.end(), 0.0);
  if (!(std::abs(total - 1) < 1e-6))
    throw UserError(fmt::format("--groups {}: the probabilities add up to {}, not to 1", shown(text), total));
  return plan;
}

std::int32_t group_of(const GroupPlan& plan, std::int64_t cell, std::int64_t cells, std::uint64_t seed) {
  std::int32_t group = 0;
  if (!plan.sizes.empty()) {
    std::int64_t position = shuffled_position(cell, cells, seed);
    while (position >= plan.sizes[static_cast<std::size_t>(group)])
      position -= plan.sizes[static_cast<std::size_t>(group++)];
    return group;
  }
  double draw = simulation_stream(seed, SimulationStream::group, static_cast<std::uint64_t>(cell)).uniform();
  while (group + 1 < plan.groups() && draw >= plan.probabilities[static_cast<std::size_t>(group)])
    draw -= plan.probabilities[static_cast<std::size_t>(group++)];
  return group;
}

}  // namespace masksc
