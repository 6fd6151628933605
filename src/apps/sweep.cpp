// masksc_sweep: full runs over values of any options, spread over the ranks there are.
#include <fmt/format.h>

#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/dist/time_limit.hpp"
#include "masksc/run/plan_input.hpp"
#include "masksc/study/sweep_report.hpp"
#include "masksc/study/sweep_run.hpp"
#include "study_program.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_sweep", "Runs masksc_train over values of any options, as many runs at a time as the ranks allow.",
    "mpirun -np N masksc_sweep --input FILE --output DIR --sweep OPTION=VALUE,VALUE... [options of masksc_train]\n"
    "       masksc_sweep --list|--plan [--json] --sweep OPTION=VALUE,VALUE... [options of masksc_train]"};

masksc::ExitCode run(masksc::Runtime& runtime, const masksc::StudyOptions<masksc::SweepSettings>& given,
                     const std::string& command) {
  const masksc::RunOptions& options = given.run;
  masksc::SweepSettings settings = given.study;
  masksc::Collectives& world = runtime.world();
  if (options.run.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::Sweep sweep = masksc::make_sweep(options.plan.plan ? masksc::sized_as_input(options) : options, settings);
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
  masksc::watch_time_limit(options.run.time_limit, options.run.grace, world);
  const masksc::SweepOutcome outcome = masksc::run_sweep(sweep, options, command, masksc::place_of(runtime));
  if (!outcome.table.is_null())
    fmt::print("\n{}\nresults in {}/sweep.json, .csv, .md, drawings .svg\n", masksc::sweep_markdown(outcome.table),
               options.output);
  return outcome.code;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_study<masksc::SweepSettings>(argc, argv, program, run); }
