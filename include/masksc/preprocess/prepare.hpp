// The stage from counts to expression: filter, normalise, log, choose genes, standardise, lay out as a matrix.
// Works on each rank's own rows; every statistic has the same bits on any number of ranks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/preprocess/settings.hpp"

namespace masksc {

/// What share of a cell's counts the chosen genes hold, in the mean of the first 2000 cells. A collective.
double share_of_counts(const Expression& expression, Collectives& ranks);

/// Genes that settings.genes admits, ascending, whether they have counts or not. A collective. Throws UserError for
/// names that are unknown and flags that are not there.
std::vector<std::int64_t> admitted_genes(std::span<const std::string> gene_names,
                                         std::span<const std::uint8_t> highly_variable,
                                         const PreparationSettings& settings, Collectives& ranks);

/// `counts`: this rank's `rows` of `cells`, with all genes of the file; `highly_variable`: the file's own choice of
/// genes, may be empty; `batches`: of all cells, for --batch-statistics, may be empty. A collective. Throws UserError
/// when settings and data do not fit.
Expression prepare_expression(CsrMatrix counts, std::int64_t cells, RowRange rows,
                              std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                              const PreparationSettings& settings, Collectives& ranks, const Labels& batches = {});

/// The same of counts that are read `block_rows` rows at a time, once for each statistic, and stay on disk: the result
/// streams. Every number in it is that of prepare_expression, bit by bit.
Expression prepare_streamed(ReadCounts read, std::int64_t block_rows, std::int64_t cells, RowRange rows,
                            std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                            const PreparationSettings& settings, Collectives& ranks, const Labels& batches = {});

}  // namespace masksc
