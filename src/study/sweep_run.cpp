#include "masksc/study/sweep_run.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "masksc/core/log.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/text.hpp"
#include "masksc/run/output_folder.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/study/sweep_report.hpp"

namespace masksc {
namespace {

PointsSettings settings_of(const Sweep& sweep, const RunOptions& options) {
  PointsSettings settings;
  settings.stop_signals = options.run.stop_signals;
  settings.overwrite = options.overwrite;
  settings.groups = static_cast<int>(sweep.settings.points_at_once);
  settings.only = chosen_point(sweep);
  settings.describe = describe_metrics;
  return settings;
}

/// Writes the tables, and the page, of what is there.
Json write_tables(const Sweep& sweep, const std::vector<PointOutcome>& outcomes, const RunOptions& options,
                  const std::string& command) {
  Json json = sweep_json(sweep, outcomes);
  json["input"] = options.inputs;
  json["labels"] = options.counts.labels.empty() ? Json() : Json(options.counts.labels);
  json["command"] = command;
  write_sweep(json, options.output);
  report_or_warn(options.output, {});
  return json;
}

void warn_of_others(const std::vector<Point>& points, const std::string& output) {
  const std::vector<std::string> others = other_points(points, output);
  if (others.empty()) return;
  log::warning(
      "--output holds {} points of other values or seeds, which the tables leave out ({}); name all values in one call "
      "to have them together: with --collect nothing is trained",
      others.size(), shown(others));
}

}  // namespace

SweepOutcome run_sweep(const Sweep& sweep, const RunOptions& options, const std::string& command,
                       const RunPlace& place) {
  Collectives& ranks = place.ranks;
  std::vector<Point> points;
  together(ranks, [&] { points = work_of(sweep, place, ranks.is_root()); });
  const PointsSettings settings = settings_of(sweep, options);
  const bool all = settings.only < 0;
  const bool collect = sweep.settings.collect;
  std::optional<OutputLock> lock;  // tasks of an array share the folder, and --collect only reads
  on_root(ranks, [&] {
    if (collect)
      refuse_other_content(options.output, FolderContent::sweep);
    else
      lock.emplace(options.output, FolderContent::sweep, all ? Hold::alone : Hold::shared);
  });
  std::vector<PointOutcome> outcomes;
  try {
    if (collect)
      on_root(ranks, [&] { outcomes = read_points(points, options.output); });
    else
      outcomes = run_points(points, settings, ranks, options.output);
  } catch (const StopRequested&) {
    if (ranks.is_root() && all) write_tables(sweep, read_points(points, options.output), options, command);
    throw;
  }
  SweepOutcome outcome;
  outcome.code = of_root(ranks, [&] {
    if (!all) outcomes = {outcomes[static_cast<std::size_t>(settings.only)]};
    ExitCode code = exit_code(outcomes);
    const auto missing = [](const PointOutcome& o) { return o.status == PointStatus::missing; };
    if (code == ExitCode::done && std::any_of(outcomes.begin(), outcomes.end(), missing))
      code = ExitCode::stopped;  // --collect of a sweep under way
    if (!all) return code;       // tasks of an array would write the same tables at the same time
    warn_of_others(points, options.output);
    outcome.table = write_tables(sweep, outcomes, options, command);
    return code;
  });
  return outcome;
}

}  // namespace masksc
