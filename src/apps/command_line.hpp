// Command line and configuration files for a table of options: parsing, --help, --version, the resolved configuration.
#pragma once

#include <string>

#include "masksc/core/options.hpp"

namespace masksc {

struct ProgramInfo {
  std::string name;             // "masksc_train"
  std::string summary;          // one sentence
  std::string usage;            // the line after "Usage: "
  std::string positional = {};  // the option that a word without dashes sets; "": there is none
};

enum class CommandLineAction { run, exit_done };

/// Sets the options of `table` from the text of a configuration (INI: name = value, # starts a comment); `path` is for
/// messages. Throws UserError: lines of another form, unknown names, values that don't parse, paths.
void apply_configuration(const std::string& text, const std::string& path, OptionTable& table);

/// Sets the options of `table` from --config FILE (INI: name = value) and then from the command line, which wins.
/// --help, --version, --man and --completion print on rank 0 (`speaks`) and return exit_done. Throws UserError for
/// unknown options and keys (with the nearest known name), values that don't parse, and paths in a configuration file.
CommandLineAction parse_command_line(int argc, char** argv, OptionTable& table, const ProgramInfo& program,
                                     bool speaks);

/// What was typed, as a shell takes it again: "mpirun -np 2 masksc_sweep --sweep dim=16,32".
std::string typed_command(int argc, char** argv, int ranks);

}  // namespace masksc
