// Whether the entries of sparse rows are as they must be: in loops that the compiler turns into vector instructions.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace masksc {

/// Whether the columns of a row ascend, from 0 or above and below `limit`.
inline bool ascend_within(std::span<const std::int32_t> columns, std::int64_t limit) {
  if (columns.empty()) return true;
  bool good = true;
  for (std::size_t i = 1; i < columns.size(); ++i) good &= columns[i - 1] < columns[i];
  return good && columns.front() >= 0 && columns.back() < limit;
}

/// Whether all are above 0, finite and, unless allowed otherwise, whole.
inline bool are_positive_counts(std::span<const float> values, bool allow_noninteger) {
  constexpr float all_whole = 1 << 24;  // no float32 from here on has a fraction
  bool good = true;
  for (const float value : values) {
    const float small = value < all_whole ? value : 0.0F;
    const bool whole = static_cast<float>(static_cast<std::int32_t>(small)) == small;
    good &= value > 0 && value <= std::numeric_limits<float>::max() && (whole || allow_noninteger);
  }
  return good;
}

}  // namespace masksc
