// From the options of a run to the plain numbers of its plan.
#pragma once

#include "masksc/plan/input.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// Throws UserError for options that make no run, or no plan.
PlanInput plan_input(const RunOptions& options);

}  // namespace masksc
