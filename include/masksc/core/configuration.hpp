// Configurations: INI text whose lines are 'name = value'; # starts a comment.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "masksc/core/options.hpp"

namespace masksc {

/// Names and values of the lines of `text`, in order; `path` is for messages. Throws UserError for other lines.
std::vector<std::pair<std::string, std::string>> configuration_entries(const std::string& text,
                                                                       const std::string& path);

/// Sets the options of `table` by them. Throws UserError: lines of another form, unknown names, values that don't
/// parse, paths.
void apply_configuration(const std::string& text, const std::string& path, OptionTable& table);

}  // namespace masksc
