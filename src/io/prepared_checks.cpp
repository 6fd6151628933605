#include "prepared_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "entry_checks.hpp"
#include "masksc/core/error.hpp"
#include "packed_entries.hpp"

namespace masksc::prepared {

void damaged(const std::filesystem::path& file, const std::string& what) {
  throw UserError(fmt::format("'{}' {}; the prepared file is damaged: run masksc_prepare again", file.string(), what));
}

void check_starts(const std::filesystem::path& file, const std::string& name, const std::vector<std::int64_t>& starts,
                  std::int64_t limit) {
  if (starts.empty() || starts.front() < 0 || starts.back() > limit || !std::is_sorted(starts.begin(), starts.end()))
    damaged(file, fmt::format("has offsets in '{}' that don't ascend within its {} entries", name, limit));
}

std::span<const float> unpack_checked(const std::filesystem::path& file, std::span<const std::uint8_t> bytes,
                                      std::span<const float> large, bool last, std::span<float> values) {
  const auto used = static_cast<std::size_t>(count_large(bytes));
  if (used > large.size() || (last && used < large.size()))
    damaged(file, fmt::format("has {} counts in 'large' where {} belong", large.size(), used));
  unpack_counts(bytes, large.first(used), values);
  return large.subspan(used);
}

void check_entries(const std::filesystem::path& file, const CsrMatrix& matrix, std::int64_t first_row) {
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    if (ascend_within(matrix.row_indices(row), matrix.columns) && are_positive_counts(matrix.row_values(row), true))
      continue;
    std::int32_t before = -1;
    for (const std::int32_t gene : matrix.row_indices(row)) {
      if (gene <= before || gene >= matrix.columns)
        damaged(file, fmt::format("has gene index {} after {} in cell {} ({} genes)", gene, before, first_row + row,
                                  matrix.columns));
      before = gene;
    }
    for (const float count : matrix.row_values(row))
      if (!(count > 0 && count <= std::numeric_limits<float>::max()))
        damaged(file, fmt::format("has the count {} in cell {}", count, first_row + row));
  }
}

}  // namespace masksc::prepared
