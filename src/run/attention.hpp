// What the model attends to in typical cells of each cluster, for the report (Fig. 6 of the paper).
#pragma once

#include "masksc/report/run_content.hpp"
#include "masksc/run/saved_model.hpp"

namespace masksc {

/// The `per_cluster` cells nearest to the mean of each of the first 30 clusters' features: their matrices, and the
/// attention of the encoder's global token in its last block, mean over heads. From one process.
AttentionGrid attend(const SavedModel& model, const RunContent& run, std::int64_t per_cluster = 4);

}  // namespace masksc
