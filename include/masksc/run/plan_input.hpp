// From the options of a run to the plain numbers of its plan.
#pragma once

#include "masksc/plan/input.hpp"
#include "masksc/preprocess/layout.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

/// The model that `options` make of a matrix of this layout: of PlanInput the shape of model and targets.
PlanInput planned_model(const RunOptions& options, const MatrixLayout& layout);

/// `options` with the cells of --input and the genes of it that --genes admits, where there is one and --plan-cells and
/// --plan-genes do not say.
/// Throws UserError for an input that can't be read.
RunOptions sized_as_input(RunOptions options);

/// Throws UserError for options that make no run, or no plan.
PlanInput plan_input(const RunOptions& options);

}  // namespace masksc
