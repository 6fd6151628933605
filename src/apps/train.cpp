// masksc_train: from a file of counts to clustered, evaluated cells, on any number of ranks.
#include <fmt/format.h>

#include "command_line.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/plan/plan.hpp"
#include "masksc/run/pipeline.hpp"
#include "masksc/run/plan_input.hpp"
#include "masksc/run/result_table.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_train", "Clusters single cells by masked modelling of their expression, on any number of ranks.",
    "mpirun -np N masksc_train --input FILE --output DIR [--labels COLUMN] [--config FILE] [options]\n"
    "       masksc_train --plan [--json] [--config FILE] [options]"};

masksc::ExitCode plan(const masksc::RunOptions& options, bool speaks) {
  const masksc::PlanInput input = masksc::plan_input(masksc::sized_as_input(options));
  if (speaks) fmt::print("{}", options.plan.json ? masksc::plan_json(input).dump(2) + "\n" : masksc::plan_table(input));
  return masksc::ExitCode::done;
}

masksc::ExitCode run(masksc::Runtime& runtime, const masksc::RunOptions& options) {
  masksc::Collectives& world = runtime.world();
  if (options.plan.plan) return plan(options, world.is_root());
  if (options.run.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  const masksc::Json metrics = masksc::run_pipeline(options, masksc::place_of(runtime));
  if (world.is_root())
    fmt::print("{}", masksc::read_json(fmt::format("'{}/metrics.json'", options.output),
                                       [&] { return masksc::result_table(metrics, options.output); }));
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, masksc::describe_run, run); }
