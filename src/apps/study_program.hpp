// What masksc_compare and masksc_sweep share: the options of masksc_train and those of a study of many runs.
#pragma once

#include "command_line.hpp"
#include "masksc/run/options.hpp"

namespace masksc {

template <typename Settings>
struct StudyOptions {
  RunOptions run;
  Settings study;
};

template <typename Settings>
OptionTable describe_study(StudyOptions<Settings>& options) {
  options.run.report.report = false;  // of each run: the page of all is what is looked at
  OptionTable table = describe_run(options.run);
  describe(table, options.study);
  return table;
}

/// run_program of a study; `run` is called with the runtime, its options and the command that does it all again.
template <typename Settings, typename Run>
int run_study(int argc, char** argv, const ProgramInfo& program, const Run& run) {
  return run_program(argc, argv, program, describe_study<Settings>,
                     [&](Runtime& runtime, const StudyOptions<Settings>& options) {
                       return run(runtime, options, typed_command(argc, argv, runtime.world().size()));
                     });
}

}  // namespace masksc
