// The plain values that cross every stage. Matrices are row-major, a row is a cell.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace masksc {

/// Row-major [rows, columns] matrix of float32.
struct DenseMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<float> values;  // rows * columns

  DenseMatrix() = default;
  DenseMatrix(std::int64_t row_count, std::int64_t column_count)
      : rows(row_count), columns(column_count), values(static_cast<std::size_t>(row_count * column_count)) {}
  [[nodiscard]] std::span<float> row(std::int64_t r) {
    return {values.data() + r * columns, static_cast<std::size_t>(columns)};
  }
  [[nodiscard]] std::span<const float> row(std::int64_t r) const {
    return {values.data() + r * columns, static_cast<std::size_t>(columns)};
  }
};

/// Compressed sparse rows, [rows, columns], float32 values; column indices ascend within a row.
struct CsrMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<std::int64_t> row_start = {0};  // rows + 1 offsets into indices and values
  std::vector<std::int32_t> indices;
  std::vector<float> values;

  [[nodiscard]] std::int64_t nonzeros() const { return row_start.back(); }
  [[nodiscard]] std::span<const std::int32_t> row_indices(std::int64_t r) const {
    return {indices.data() + row_start[static_cast<std::size_t>(r)], row_size(r)};
  }
  [[nodiscard]] std::span<const float> row_values(std::int64_t r) const {
    return {values.data() + row_start[static_cast<std::size_t>(r)], row_size(r)};
  }
  [[nodiscard]] std::size_t row_size(std::int64_t r) const {
    return static_cast<std::size_t>(row_start[static_cast<std::size_t>(r) + 1] -
                                    row_start[static_cast<std::size_t>(r)]);
  }
  /// One more row, a copy of what may be a row of another matrix.
  void append_row(std::span<const std::int32_t> row_columns, std::span<const float> counts) {
    indices.insert(indices.end(), row_columns.begin(), row_columns.end());
    values.insert(values.end(), counts.begin(), counts.end());
    row_start.push_back(static_cast<std::int64_t>(indices.size()));
    ++rows;
  }
};

/// One category a cell: `codes[i]` indexes `names`; -1 is missing. `ordered`: their order means something, as that of
/// stages (pandas' Categorical.ordered).
struct Labels {
  std::vector<std::int32_t> codes;
  std::vector<std::string> names;
  bool ordered = false;

  [[nodiscard]] bool empty() const { return codes.empty(); }
};

/// Half-open range of global rows.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// The rows of rank `rank` of `ranks`: contiguous, in rank order, sizes differ by at most one.
inline RowRange rows_of_rank(std::int64_t rows, int rank, int ranks) {
  return {rows * rank / ranks, rows * (rank + 1) / ranks};
}

/// Rows `rows` of a matrix.
inline DenseMatrix part_of(const DenseMatrix& whole, RowRange rows) {
  DenseMatrix part(rows.size(), whole.columns);
  std::copy_n(whole.row(rows.begin).begin(), part.values.size(), part.values.begin());
  return part;
}

}  // namespace masksc
