// Some of the entries of a list, some of the rows or columns of a matrix.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"

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

/// Rows `rows` of `matrix`, in their order.
inline CsrMatrix chosen_rows(const CsrMatrix& matrix, std::span<const std::int64_t> rows) {
  CsrMatrix some;
  some.columns = matrix.columns;
  for (const std::int64_t row : rows) some.append_row(matrix.row_indices(row), matrix.row_values(row));
  return some;
}

/// The first `count` columns of `matrix`, or all where it has no more.
inline DenseMatrix first_columns(const DenseMatrix& matrix, std::int64_t count) {
  DenseMatrix first(matrix.rows, std::min(matrix.columns, count));
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    std::copy_n(matrix.row(row).begin(), first.columns, first.row(row).begin());
  return first;
}

}  // namespace masksc
