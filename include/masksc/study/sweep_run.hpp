// The work of a sweep: its points run on the ranks there are, its tables and page written.
#pragma once

#include <string>

#include "masksc/core/error.hpp"
#include "masksc/core/json.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/place.hpp"
#include "masksc/study/sweep.hpp"

namespace masksc {

struct SweepOutcome {
  Json table;                      // sweep.json, on rank 0; null where only one point was asked for (--point)
  ExitCode code = ExitCode::done;  // that of the worst failure of a point; stopped when points are missing
};

/// Runs the points of `sweep` that are not done yet (none with --collect) and writes sweep.json, .csv, .md, drawings
/// and report.html into options.output, also of a sweep that is stopped. Tasks of an array (--point) leave the tables
/// to --collect. `options` are those of masksc_train, `command`, which goes into the table, does it all again.
/// A collective. Throws as run_points, and UserError for input that cannot be read and an --output of others.
SweepOutcome run_sweep(const Sweep& sweep, const RunOptions& options, const std::string& command,
                       const RunPlace& place);

}  // namespace masksc
