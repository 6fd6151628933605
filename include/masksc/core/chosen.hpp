// Some of the entries of a list.
#pragma once

#include <cstdint>
#include <vector>

namespace masksc {

/// The `values` of `rows`, in their order; nothing where there are no values.
template <typename T>
std::vector<T> chosen(const std::vector<T>& values, const std::vector<std::int64_t>& rows) {
  if (values.empty()) return {};
  std::vector<T> some;
  some.reserve(rows.size());
  for (const std::int64_t row : rows) some.push_back(values.at(static_cast<std::size_t>(row)));
  return some;
}

}  // namespace masksc
