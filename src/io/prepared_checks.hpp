// What is checked of every part of a prepared file that is read: nothing in it is trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::prepared {

[[noreturn]] void damaged(const std::filesystem::path& file, const std::string& what);

/// Throws UserError unless `starts` ascend within [0, limit].
void check_starts(const std::filesystem::path& file, const std::string& name, const std::vector<std::int64_t>& starts,
                  std::int64_t limit);

/// Writes the counts of `bytes` to `values` and returns what they leave of `large`, the counts that are kept apart.
/// Throws UserError when those are too few, or with the `last` bytes too many.
std::span<const float> unpack_checked(const std::filesystem::path& file, std::span<const std::uint8_t> bytes,
                                      std::span<const float> large, bool last, std::span<float> values);

/// Throws UserError unless genes ascend within each row and counts are finite and above 0. `first_row`: of the matrix
/// in the file.
void check_entries(const std::filesystem::path& file, const CsrMatrix& matrix, std::int64_t first_row);

}  // namespace masksc::prepared
