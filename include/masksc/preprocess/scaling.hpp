// How genes are standardised: their means and variances over all cells, and the scalings made of them.
#pragma once

#include <cstdint>

#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/preprocess/moments.hpp"
#include "masksc/preprocess/settings.hpp"

namespace masksc {

/// Sums over the cells of this rank, those of each of `batches` apart (expression.batch_of_cell; empty: all are of
/// one). A collective.
MomentSums sums_of(MomentSums::Of of, const Expression& expression, std::int64_t batches, Collectives& ranks);

/// What standardises each gene: over all cells or, with batches, over the cells of each. `sums`: those of the log
/// values, group by group. A collective.
GeneScaling standardisation(MomentSums& sums, std::int64_t batches, Collectives& ranks);

/// What makes Pearson residuals of normalised counts: a count of mean m is expected to vary by m + m^2 / 100, as a
/// negative binomial one does (Lause, Berens and Kobak, Genome Biology 2021, equation 3, with every cell at the median
/// total). Differences that counting alone makes then have variance 1 in every gene, so that rare and frequent genes
/// say as much as they know; the log of small counts distorts them. `sums`: those of normalised counts. A collective.
GeneScaling residual_scaling(MomentSums& sums, std::int64_t batches, Collectives& ranks);
/// The scaling that `standardize` asks for (automatic: as yes), with statistics of each of `batches`. A collective.
GeneScaling scaling_of(const Expression& expression, std::int64_t batches, Standardize standardize, Collectives& ranks);
/// That scaling for a prepared expression, whatever scaling it has. A collective.
GeneScaling residual_scaling(const Expression& expression, Collectives& ranks);

}  // namespace masksc
