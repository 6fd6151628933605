#include "shard_rows.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "masksc/preprocess/normalize.hpp"

namespace masksc {

ShardRows::ShardRows(CsrMatrix counts, RowRange rows)
    : rows_(rows), columns_(counts.columns), held_(std::move(counts)) {}

ShardRows::ShardRows(ReadCounts read, std::int64_t block_rows, RowRange rows, std::int64_t columns)
    : rows_(rows),
      columns_(columns),
      read_(std::move(read)),
      block_rows_(block_rows),
      genes_(static_cast<std::size_t>(columns)) {
  std::iota(genes_.begin(), genes_.end(), std::int64_t{0});
}

void ShardRows::normalize(std::span<const double> totals, double median) {
  median_ = median;
  if (!read_) log_normalize(held_, totals, median);
}

void ShardRows::select(std::span<const std::int64_t> columns) {
  if (!read_) {
    held_ = select_columns(std::move(held_), columns);
  } else {
    std::vector<std::int64_t> genes;
    for (const std::int64_t column : columns) genes.push_back(genes_[static_cast<std::size_t>(column)]);
    genes_ = std::move(genes);
  }
  columns_ = static_cast<std::int64_t>(columns.size());
}

CsrMatrix ShardRows::prepared(CsrMatrix counts, double median, const std::vector<std::int64_t>& genes) {
  if (median <= 0) return select_columns(std::move(counts), genes);
  const std::vector<double> totals = cell_totals(counts);  // of all genes
  counts = select_columns(std::move(counts), genes);
  log_normalize(counts, totals, median);
  return counts;
}

void ShardRows::for_each(const std::function<void(const CsrMatrix&, RowRange)>& work) const {
  if (!read_) return work(held_, rows_);
  for (std::int64_t begin = rows_.begin; begin < rows_.end; begin += block_rows_) {
    const RowRange block{begin, std::min(begin + block_rows_, rows_.end)};
    work(prepared(read_(block), median_, genes_), block);
  }
}

CsrMatrix ShardRows::only(const std::function<bool(std::int64_t)>& wanted) const {
  CsrMatrix some;
  some.columns = columns_;
  for_each([&](const CsrMatrix& block, RowRange rows) {
    for (std::int64_t row = 0; row < block.rows; ++row) {
      if (wanted(rows.begin + row))
        some.append_row(block.row_indices(row), block.row_values(row));
      else
        some.append_row({}, {});
    }
  });
  return some;
}

void ShardRows::move_to(Expression& expression) {
  expression.values = std::move(held_);
  expression.values.columns = columns_;
  if (read_)
    expression.read = [read = std::move(read_), median = median_, genes = std::move(genes_)](RowRange rows) {
      return prepared(read(rows), median, genes);
    };
}

}  // namespace masksc
