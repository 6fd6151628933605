// masksc_sweep: full runs over values of any options, spread over the ranks there are.
#include "masksc/study/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "command_line.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/output_folder.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/text.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/dist/time_limit.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/study/sweep_report.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_sweep", "Runs masksc_train over values of any options, as many runs at a time as the ranks allow.",
    "mpirun -np N masksc_sweep --input FILE --output DIR --sweep OPTION=VALUE,VALUE... [options of masksc_train]\n"
    "       masksc_sweep --list|--plan [--json] --sweep OPTION=VALUE,VALUE... [options of masksc_train]"};

/// Writes the tables, and the page, of what is there.
masksc::Json report(const masksc::Sweep& sweep, const std::vector<masksc::PointOutcome>& outcomes,
                    const masksc::RunOptions& options, const std::string& command) {
  const std::string& folder = options.output;
  masksc::Json json = masksc::sweep_json(sweep, outcomes);
  json["input"] = options.inputs;
  json["labels"] = options.counts.labels.empty() ? masksc::Json() : masksc::Json(options.counts.labels);
  json["command"] = command;
  masksc::write_sweep(json, folder);
  masksc::report_or_warn(folder, {});
  return json;
}

/// Works on the points, and writes the tables on rank 0, also of a sweep that is stopped.
masksc::ExitCode work(const masksc::Sweep& sweep, const masksc::RunOptions& options, const std::string& command,
                      masksc::Runtime& runtime) {
  masksc::Collectives& world = runtime.world();
  std::vector<masksc::Point> points;
  masksc::together(world, [&] { points = masksc::work_of(sweep, masksc::place_of(runtime), world.is_root()); });
  masksc::PointsSettings settings;
  settings.stop_signals = options.run.stop_signals;
  settings.overwrite = options.overwrite;
  settings.groups = static_cast<int>(sweep.settings.points_at_once);
  settings.only = masksc::chosen_point(sweep);
  settings.describe = masksc::describe_metrics;
  masksc::watch_time_limit(options.run.time_limit, options.run.grace, world);
  std::optional<masksc::OutputLock> lock;  // tasks of an array share the folder, and --collect only reads
  masksc::on_root(world, [&] {
    if (sweep.settings.collect)
      masksc::refuse_other_content(options.output, masksc::FolderContent::sweep);
    else
      lock.emplace(options.output, masksc::FolderContent::sweep,
                   settings.only < 0 ? masksc::Hold::alone : masksc::Hold::shared);
  });
  std::vector<masksc::PointOutcome> outcomes;
  try {
    if (sweep.settings.collect)
      masksc::on_root(world, [&] { outcomes = masksc::read_points(points, options.output); });
    else
      outcomes = masksc::run_points(points, settings, world, options.output);
  } catch (const masksc::StopRequested&) {
    if (world.is_root() && settings.only < 0)
      report(sweep, masksc::read_points(points, options.output), options, command);
    throw;
  }
  std::int32_t code = 0;
  masksc::on_root(world, [&] {
    if (settings.only >= 0) outcomes = {outcomes[static_cast<std::size_t>(settings.only)]};
    code = static_cast<std::int32_t>(masksc::exit_code(outcomes));
    const auto missing = [](const masksc::PointOutcome& o) { return o.status == masksc::PointStatus::missing; };
    if (code == 0 && std::any_of(outcomes.begin(), outcomes.end(), missing))  // --collect of a sweep under way
      code = static_cast<std::int32_t>(masksc::ExitCode::stopped);
    const std::vector<std::string> others = masksc::other_points(points, options.output);
    if (settings.only < 0 && !others.empty())
      masksc::log::warning(
          "--output holds {} points of other values or seeds, which the tables leave out ({}); name all values in one "
          "call to have them together: with --collect nothing is trained",
          others.size(), masksc::shown(others));
    if (settings.only < 0)  // tasks of an array would write the same tables at the same time
      fmt::print("\n{}\nresults in {}/sweep.json, .csv, .md, drawings .svg\n",
                 masksc::sweep_markdown(report(sweep, outcomes, options, command)), options.output);
  });
  world.broadcast(std::span(&code, 1));
  return static_cast<masksc::ExitCode>(code);
}

masksc::ExitCode run(masksc::Runtime& runtime, int argc, char** argv) {
  masksc::RunOptions options;
  options.report.report = false;  // of each run: the page of all is what is looked at
  masksc::SweepSettings settings;
  masksc::OptionTable table = masksc::describe_run(options);
  masksc::describe(table, settings);
  masksc::Collectives& world = runtime.world();
  if (masksc::parse_command_line(argc, argv, table, program, world.is_root()) == masksc::CommandLineAction::exit_done)
    return masksc::ExitCode::done;
  if (options.run.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::Sweep sweep = masksc::make_sweep(options, settings);
  if (settings.list || options.plan.plan) {
    if (!world.is_root()) return masksc::ExitCode::done;
    if (settings.list)
      fmt::print("{}", masksc::list_points(sweep));
    else if (options.plan.json)
      fmt::print("{}\n", masksc::plan_sweep(sweep).dump(2));
    else
      fmt::print("{}", masksc::plan_sweep_table(sweep));
    return masksc::ExitCode::done;
  }
  if (masksc::chosen_point(sweep) >= 0 && !masksc::ranks_are_swept(sweep)) {
    settings.ranks_per_point = world.size();  // a task of an array has its ranks for its point alone
    sweep = masksc::make_sweep(options, settings);
  }
  return work(sweep, options, masksc::typed_command(argc, argv, world.size()), runtime);
}

}  // namespace

int main(int argc, char** argv) {
  return masksc::run_program(argc, argv, [&](masksc::Runtime& runtime) { return run(runtime, argc, argv); });
}
