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

/// Checks that the ranks' `rows` follow each other in rank order from 0 to `cells`, that every rank brings the rows it
/// names and that all agree on the columns (a rank without rows need not know them). Returns the columns.
/// A collective. Throws InvariantError on every rank.
std::int64_t check_dealt_rows(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, Collectives& ranks);

/// Throws InvariantError on every rank when a value isn't finite; names `what`, the first such global row and its
/// column. A collective.
void check_finite(const DenseMatrix& local_rows, RowRange rows, std::string_view what, Collectives& ranks);

/// `size` of 0 .. cells-1, ascending, drawn without replacement and by `seed` only; all of them when size >= cells.
std::vector<std::int64_t> sample_rows(std::int64_t cells, std::int64_t size, std::uint64_t seed);

/// The local ones of the rows with the ascending global numbers `chosen`, and which of the chosen they are.
struct DealtSample {
  DenseMatrix local_rows;
  RowRange rows;
};
DealtSample take_rows(const DenseMatrix& local_rows, RowRange rows, std::span<const std::int64_t> chosen);

}  // namespace masksc
