// masksc_compare: every method on one data set, in one table.
#include <fmt/format.h>

#include "command_line.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/dist/time_limit.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/study/comparison.hpp"
#include "masksc/study/comparison_table.hpp"
#include "paper_configuration.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_compare", "Runs mask-sc and the methods it is compared with on the same cells and scores them alike.",
    "mpirun -np N masksc_compare --input FILE --output DIR [--labels COLUMN] [--methods all|LIST] [--seeds S] "
    "[options]\n       masksc_compare --list"};

struct CompareOptions {
  masksc::RunOptions run;
  masksc::ComparisonSettings study;
};

masksc::OptionTable describe_options(CompareOptions& options) {
  options.run.report.report = false;  // of each run: the page of all is what is looked at
  masksc::OptionTable table = masksc::describe_run(options.run);
  masksc::describe(table, options.study);
  return table;
}

masksc::ExitCode run(masksc::Runtime& runtime, const CompareOptions& given, const std::string& command) {
  const auto& [options, settings] = given;
  masksc::Collectives& world = runtime.world();
  if (settings.list) {
    if (world.is_root())
      for (const auto& method : masksc::compared_methods())
        fmt::print("{:<16}{} ({})\n", method.name, method.title, method.source);
    return masksc::ExitCode::done;
  }
  if (options.run.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::watch_time_limit(options.run.time_limit, options.run.grace, world);
  masksc::RunOptions paper = options;
  masksc::OptionTable paper_table = masksc::describe_run(paper);
  masksc::apply_configuration(masksc::paper_configuration, "configs/paper.ini", paper_table);
  const masksc::ComparisonOutcome outcome =
      masksc::compare(options, paper, settings, command, masksc::place_of(runtime));
  if (world.is_root()) {
    fmt::print("{}", masksc::comparison_markdown(outcome.table));
    masksc::report_or_warn(options.output, {});
  }
  return outcome.code;
}

}  // namespace

int main(int argc, char** argv) {
  const auto work = [&](masksc::Runtime& runtime, CompareOptions& options, const masksc::OptionTable&) {
    return run(runtime, options, masksc::typed_command(argc, argv, runtime.world().size()));
  };
  return masksc::run_program(argc, argv, program, describe_options, work);
}
