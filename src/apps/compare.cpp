// masksc_compare: every method on one data set, in one table.
#include <fmt/format.h>

#include "masksc/core/configuration.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/dist/time_limit.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/study/comparison.hpp"
#include "masksc/study/comparison_table.hpp"
#include "paper_configuration.hpp"
#include "study_program.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_compare", "Runs mask-sc and the methods it is compared with on the same cells and scores them alike.",
    "mpirun -np N masksc_compare --input FILE --output DIR [--labels COLUMN] [--methods all|LIST] [--seeds S] "
    "[options]\n       masksc_compare --list"};

masksc::ExitCode run(masksc::Runtime& runtime, const masksc::StudyOptions<masksc::ComparisonSettings>& given,
                     const std::string& command) {
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

int main(int argc, char** argv) { return masksc::run_study<masksc::ComparisonSettings>(argc, argv, program, run); }
