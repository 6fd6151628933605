// What metrics.json says of the training: where the time went, and how much of the device it used.
#pragma once

#include "masksc/core/json.hpp"
#include "masksc/preprocess/layout.hpp"
#include "masksc/run/options.hpp"
#include "masksc/train/trainer.hpp"

namespace masksc {

/// Seconds by part, hidden_communication; tflops: of a rank, by the formula of --plan (flop_per_cell) over these
/// seconds, which leave saves and the start out; device: of rank 0, and fraction_of_peak: of its dense peak at the
/// precision of the run, both null where they are not known.
Json training_report(const TrainOutcome& trained, const RunOptions& options, const MatrixLayout& layout,
                     at::Device device, int ranks);

}  // namespace masksc
