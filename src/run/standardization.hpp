// How genes are standardised where --standardize is auto.
#pragma once

#include "masksc/run/options.hpp"
#include "masksc/run/stages.hpp"

namespace masksc {

/// Finds input.components. Where --standardize is auto: gives input.expression the scaling of Pearson residuals in
/// place of standardised log values where the latter show no groups of cells (find_groups in the first 20 components,
/// of at most 10,000 cells, always the same), or where residuals show clearer ones (a silhouette higher by a fifth, in
/// components of their own). There types differ by less than counting alone makes cells differ, and residuals, which
/// know how counts vary, keep more of it. Labels have no part in it; the same on any number of ranks. Values that may
/// be no counts (--allow-noninteger) keep their standardised logs. `recorded` is what it came to in the run that goes
/// on (standardized_as; "": none), and stays: on other processors another rounding might decide otherwise. A
/// collective.
void decide_standardization(const RunOptions& options, const std::string& recorded, RunInput& input, at::Device device,
                            Collectives& ranks);

/// What --standardize came to: "yes", "no" or "residuals".
const char* standardized_as(const RunOptions& options, const Expression& expression);

}  // namespace masksc
