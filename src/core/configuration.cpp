#include "masksc/core/configuration.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <set>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

// Not by Boost, whose parser never comes back from a bad line that holds %option% (found by fuzzing).
std::vector<std::pair<std::string, std::string>> configuration_entries(const std::string& text,
                                                                       const std::string& path) {
  std::vector<std::pair<std::string, std::string>> entries;
  std::size_t number = 0;
  for (std::string_view line : split(text, "\n")) {
    ++number;
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    const std::string_view name = trimmed(line.substr(0, equals));
    if (equals == std::string_view::npos || name.empty())
      throw UserError(fmt::format("configuration '{}', line {}: '{}'; lines are 'name = value', # starts a comment",
                                  path, number, shown(line)));
    entries.emplace_back(name, trimmed(line.substr(equals + 1)));
  }
  return entries;
}

void apply_configuration(const std::string& text, const std::string& path, OptionTable& table) {
  std::set<std::string> named;
  for (const auto& [name, value] : configuration_entries(text, path)) {
    const Option* option = table.find(name);
    if (!named.insert(name).second && option != nullptr && !option->repeats)
      throw UserError(fmt::format("configuration '{}' sets '{}' twice; leave one of the lines out", path, name));
    if (option != nullptr && command_line_only(option->role))
      throw UserError(
          fmt::format("configuration '{}' holds '{}', which belongs on the command line: configurations "
                      "work on any input",
                      path, name));
    if (value.empty()) throw UserError(fmt::format("configuration '{}': '{}' has no value", path, shown(name)));
    table.set(name, value, fmt::format("in '{}'", path));
  }
}

}  // namespace masksc
