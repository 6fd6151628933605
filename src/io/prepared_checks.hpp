// What is checked of every part of a prepared file that is read: nothing in it is trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::prepared {

[[noreturn]] void damaged(const std::filesystem::path& file, const std::string& what);

/// Throws UserError unless `starts` ascend within [0, limit].
void check_starts(const std::filesystem::path& file, const std::string& name, const std::vector<std::int64_t>& starts,
                  std::int64_t limit);

/// Throws UserError unless `used` of the counts that are kept apart are there, and with the `last` entries no more.
void check_large(const std::filesystem::path& file, std::size_t used, std::size_t there, bool last);

/// Throws UserError unless genes ascend within each row and counts are finite and above 0. `first_row`: of the matrix
/// in the file.
void check_entries(const std::filesystem::path& file, const CsrMatrix& matrix, std::int64_t first_row);

}  // namespace masksc::prepared
