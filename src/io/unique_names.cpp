#include "unique_names.hpp"

#include <fmt/format.h>

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace masksc {

std::int64_t make_unique_names(std::vector<std::string>& names) {
  std::unordered_set<std::string_view> first;
  std::vector<std::size_t> repeats;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!first.insert(names[i]).second) repeats.push_back(i);
  std::unordered_set<std::string> made;
  std::unordered_map<std::string, std::int64_t> counters;
  for (const std::size_t i : repeats) {
    std::int64_t& counter = counters[names[i]];
    std::string name;
    do name = fmt::format("{}-{}", names[i], ++counter);
    while (first.contains(name) || !made.insert(name).second);
    // The names that `first` holds views of stay where they are: only repeats change.
    names[i] = std::move(name);
  }
  return static_cast<std::int64_t>(repeats.size());
}

}  // namespace masksc
