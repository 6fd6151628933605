// The command line for a table of options: parsing, --help, --version, --config.
#pragma once

#include <string>
#include <utility>

#include "masksc/core/options.hpp"
#include "masksc/dist/runtime.hpp"

namespace masksc {

struct ProgramInfo {
  std::string name;             // "masksc_train"
  std::string summary;          // one sentence
  std::string usage;            // the line after "Usage: "
  std::string positional = {};  // the option that a word without dashes sets; "": there is none
};

/// Whether the command line asks for --help, --version, --man or --completion, which are printed if `speaks`: then
/// there is nothing to run. Throws UserError for unknown options (with the nearest known name).
bool answer_command_line(int argc, char** argv, const OptionTable& table, const ProgramInfo& program, bool speaks);

/// Sets the options of `table` from --config FILE (INI: name = value) and then from the command line, which wins.
/// Throws UserError for unknown options and keys (with the nearest known name), values that don't parse, and paths in a
/// configuration file.
void parse_command_line(int argc, char** argv, OptionTable& table, const ProgramInfo& program);

/// A whole program: `describe` tells its options, the command line sets them, and `run` does its work, called with the
/// runtime and the options. Returns the exit code.
template <typename Options, typename Run>
int run_program(int argc, char** argv, const ProgramInfo& program, OptionTable (*describe)(Options&), const Run& run) {
  Options options;
  OptionTable table = describe(options);
  return run_program(
      argc, argv, [&](bool speaks) { return answer_command_line(argc, argv, table, program, speaks); },
      [&](Runtime& runtime) {
        parse_command_line(argc, argv, table, program);
        return run(runtime, std::as_const(options));
      });
}

/// What was typed, as a shell takes it again: "mpirun -np 2 masksc_sweep --sweep dim=16,32".
std::string typed_command(int argc, char** argv, int ranks);

}  // namespace masksc
