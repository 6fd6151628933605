// The rows of one rank on their way through preparation, held in memory or read again, a block at a time, for every
// statistic. What comes out has the same bits either way.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "masksc/preprocess/expression.hpp"

namespace masksc {

class ShardRows {
 public:
  /// `counts` of `rows`, held.
  ShardRows(CsrMatrix counts, RowRange rows);
  /// Counts of `rows` of `columns` genes, read `block_rows` at a time.
  ShardRows(ReadCounts read, std::int64_t block_rows, RowRange rows, std::int64_t columns);

  /// From now on rows are log-normalised to the total `median`; `totals`: of each row.
  void normalize(std::span<const double> totals, double median);
  /// From now on rows have the columns `columns` (distinct) of those they have now, in that order.
  void select(std::span<const std::int64_t> columns);
  /// Calls work(block, global rows of the block) for all rows in order.
  void for_each(const std::function<void(const CsrMatrix&, RowRange)>& work) const;
  /// All rows, those that `wanted` does not name left empty.
  [[nodiscard]] CsrMatrix only(const std::function<bool(std::int64_t cell)>& wanted) const;

  [[nodiscard]] RowRange rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  /// Hands the rows on: values, or what reads them. Leaves nothing here.
  void move_to(Expression& expression);

 private:
  [[nodiscard]] static CsrMatrix prepared(CsrMatrix counts, double median, const std::vector<std::int64_t>& genes);

  RowRange rows_;
  std::int64_t columns_;
  CsrMatrix held_;
  ReadCounts read_;  // empty where rows are held
  std::int64_t block_rows_ = 0;
  double median_ = 0;                // 0: not normalised yet
  std::vector<std::int64_t> genes_;  // of the file, for each column
};

}  // namespace masksc
