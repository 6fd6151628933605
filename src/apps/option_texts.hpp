// What people, shells and man read of a program's options: all of it from its one table.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace masksc {

/// An option as it is described.
struct OptionText {
  std::string group;
  std::string name;    // without dashes
  std::string value;   // placeholder; "" for a switch
  std::string help;    // one line, with unit
  std::string preset;  // the default; "" where there is none
};

/// The options of `table`, with the values they have now as defaults, and those that every program has.
std::vector<OptionText> option_texts(const OptionTable& table);

/// --help: `columns` is the width to keep within, 0 for lines of any length.
std::string help_text(const std::vector<OptionText>& options, const ProgramInfo& program, int columns);

/// The script that completes the program's command line in `shell`: bash, zsh or fish. Throws UserError for others.
std::string completion_script(const std::string& shell, const std::vector<OptionText>& options,
                              const ProgramInfo& program);

/// The manual page, for man.
std::string manual_page(const std::vector<OptionText>& options, const ProgramInfo& program);

}  // namespace masksc
