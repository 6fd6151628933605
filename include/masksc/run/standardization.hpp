// How genes are standardised where --standardize is auto.
#pragma once

#include "masksc/preprocess/prepare.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// Where --standardize is auto: gives `expression` the scaling of Pearson residuals in place of standardised log values
/// where the latter show no groups of cells: mean silhouette of K-means into 8 clusters of 20 principal components of
/// 2048 cells, always the same, below 0.15 (0.24 to 0.4 on real data). There types differ by less than counting alone
/// makes cells differ, and residuals, which know how counts vary, keep more of it. Labels have no part in it; the same
/// on any number of ranks but for rounding. Values that may be no counts (--allow-noninteger) keep their standardised
/// logs. A collective.
void decide_standardization(const RunOptions& options, Expression& expression, Collectives& ranks);

/// What --standardize came to: "yes", "no" or "residuals".
const char* standardized_as(const RunOptions& options, const Expression& expression);

}  // namespace masksc
