// One whole run: a file of counts in, a folder of results out.
#pragma once

#include "masksc/core/json.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/place.hpp"

namespace masksc {

/// Does what `options` ask for, going on where an interrupted run of the same folder was; a finished one is only read.
/// Returns the content of metrics.json on rank 0 (null elsewhere). A collective. Throws Error on all ranks.
Json run_pipeline(const RunOptions& options, const RunPlace& place);

}  // namespace masksc
