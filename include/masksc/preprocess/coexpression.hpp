// An order of the genes in which those that are expressed together stand together.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/core/linkage.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// At most this many cells, evenly spaced over the file, enter the correlations; their cost is quadratic in genes.
inline constexpr std::int64_t kCoexpressionCells = 65536;

/// 1 - Pearson correlation between the columns of `values` [local cells, genes] over the cells of all ranks; a gene
/// without variance correlates with none. Sums are exact integers, so the bits do not depend on the ranks. A
/// collective.
PairDistances correlation_distances(const CsrMatrix& values, std::int64_t cells, RowRange rows, Collectives& ranks);

/// Whether `cell` of `cells` enters the correlations.
bool is_correlated_cell(std::int64_t cell, std::int64_t cells);

/// Columns of `values` in leaf order of average-linkage clustering on `correlation_distances`. A collective.
std::vector<std::int64_t> coexpression_order(const CsrMatrix& values, std::int64_t cells, RowRange rows,
                                             Collectives& ranks);

}  // namespace masksc
