// From counts to log-normalised values: every cell scaled to the median total, then log(1 + x), in place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Sets those elements of `expressed` to 1 whose gene (column) has a count.
void mark_genes_with_counts(const CsrMatrix& counts, std::span<std::uint8_t> expressed);

/// Sum of the counts of each local cell.
std::vector<double> cell_totals(const CsrMatrix& counts);

/// Median over the cells of all ranks of their totals, the mean of the two in the middle when there is an even number
/// of them; cells without counts are left out. 0 when no cell has counts. A collective; memory does not grow with the
/// number of cells.
double median_total(std::span<const double> totals, Collectives& ranks);

/// counts[c, g] := log1p(counts[c, g] / (totals[c] / median)) in float32, as scanpy's normalize_total and log1p.
void log_normalize(CsrMatrix& counts, std::span<const double> totals, double median);

/// The columns `genes` (distinct) of `values`, in that order; column indices of the result ascend within a row.
/// Works in the memory of `values`.
CsrMatrix select_columns(CsrMatrix values, std::span<const std::int64_t> genes);

}  // namespace masksc
