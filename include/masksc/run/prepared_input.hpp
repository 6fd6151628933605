// From --input to the prepared file that a program works on.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "masksc/io/prepared.hpp"

namespace masksc {

/// The one of `files` (listed_inputs), where it is a prepared file. Throws UserError for a file that can't be read, and
/// where `settings` or --keep-input ask for what a prepared file does not hold.
std::optional<std::filesystem::path> given_prepared(const std::vector<std::filesystem::path>& files,
                                                    const InputSettings& settings, bool keep_input);

/// prepare_counts() of `files` to `path`, and what else they hold to `kept` (empty: nowhere). Says what was
/// odd, and returns it. `check` as prepare_counts takes it.
std::vector<std::string> prepare_aloud(const std::vector<std::filesystem::path>& files, const InputSettings& settings,
                                       const std::filesystem::path& path, const std::filesystem::path& kept = {},
                                       const std::function<void(const CountsReader&)>& check = {});

}  // namespace masksc
