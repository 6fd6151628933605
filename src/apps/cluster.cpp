// masksc_cluster: other clusters of cells that are embedded already.
#include <fmt/format.h>

#include "command_line.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/run/recluster.hpp"
#include "masksc/run/result_table.hpp"
#include "output_file.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_cluster", "Clusters the cells of a finished run, or any features in an h5ad file, without training.",
    "mpirun -np N masksc_cluster --input DIR/result.h5ad --output FILE [--clusters K|auto] [--method leiden] "
    "[options]"};

std::string table_of(const masksc::Json& scores, const std::string& output) {
  return fmt::format("\n  {:<12}{:>10}\n{}  {:<12}{}\n\n", "cells", scores.at("cells").get<std::int64_t>(),
                     masksc::score_rows(scores), "results", output);
}

masksc::ExitCode run(masksc::Runtime& runtime, const masksc::ReclusterOptions& options) {
  masksc::Collectives& world = runtime.world();
  if (options.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::on_root(world, [&] {
    if (options.input.empty())
      throw masksc::UserError("--input is missing: give an h5ad file, such as result.h5ad of a run");
    masksc::check({options.output, options.overwrite}, options.input);
  });
  const masksc::Json scores = masksc::recluster(options, masksc::place_of(runtime));
  if (world.is_root()) fmt::print("{}", table_of(scores, options.output));
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, masksc::describe_recluster, run); }
