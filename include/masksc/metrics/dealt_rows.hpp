// Rows of one matrix dealt out over ranks: what every distributed computation on them checks first, and samples of
// them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// A [cells, columns] matrix whose rows are dealt out over ranks: what each of them brings to a computation on all.
/// A view: the matrix must outlive it.
struct DealtRows {
  const DenseMatrix& local;  // the rows that are here
  RowRange rows;             // which these are; they follow each other in rank order
  std::int64_t cells;        // rows over all ranks
};

/// A matrix that one rank has alone.
inline DealtRows undealt(const DenseMatrix& all) { return {all, {0, all.rows}, all.rows}; }

/// Checks that the ranks' rows follow each other in rank order from 0 to `cells`, that every rank brings the rows it
/// names and that all agree on the columns (a rank without rows need not know them). Returns the columns.
/// A collective. Throws InvariantError on every rank.
std::int64_t check_dealt_rows(const DealtRows& dealt, Collectives& ranks);

/// Throws InvariantError on every rank when a value isn't finite; names `what`, the first such global row and its
/// column. A collective.
void check_finite(const DealtRows& dealt, std::string_view what, Collectives& ranks);

/// `size` of 0 .. cells-1, ascending, drawn without replacement and by `seed` only; all of them when size >= cells.
std::vector<std::int64_t> sample_rows(std::int64_t cells, std::int64_t size, std::uint64_t seed);

/// Some of the rows, dealt out as all are.
struct DealtSample {
  std::vector<std::int64_t> chosen;  // their global numbers, ascending
  DenseMatrix local;                 // those that are here
  RowRange rows;                     // which of the chosen these are

  [[nodiscard]] std::int64_t cells() const { return static_cast<std::int64_t>(chosen.size()); }
  [[nodiscard]] DealtRows dealt() const& { return {local, rows, cells()}; }
  DealtRows dealt() const&& = delete;
  /// Of those here, from the labels of all local rows, which start with global row `first`.
  [[nodiscard]] std::vector<std::int32_t> labels_of(std::span<const std::int32_t> labels, std::int64_t first) const;
};
/// The rows with the ascending global numbers `chosen`.
DealtSample take_rows(const DealtRows& dealt, std::vector<std::int64_t> chosen);
/// The same of a matrix that is here as a whole.
DenseMatrix take_rows(const DenseMatrix& all, std::span<const std::int64_t> chosen);

}  // namespace masksc
