// The one file that a program writes: its options, and the check that nothing is lost.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "masksc/core/error.hpp"
#include "masksc/core/options.hpp"

namespace masksc {

struct OutputFile {
  std::string path;
  bool overwrite = false;
};

inline void describe(OptionTable& table, OutputFile& output, const std::string& what) {
  table.add("output", output.path, what, "FILE");
  table.add_switch("overwrite", output.overwrite, "replace an existing --output");
}

/// Throws UserError when there is no path, it is taken or no file, or it is that of the input.
inline void check(const OutputFile& output, const std::string& input = {}) {
  if (output.path.empty()) throw UserError("--output is missing: give the file to write");
  std::error_code ignored;
  if (!input.empty() && std::filesystem::equivalent(input, output.path, ignored))
    throw UserError(fmt::format("--output {} is the input itself; give another name", output.path));
  if (std::filesystem::is_directory(output.path, ignored))
    throw UserError(fmt::format("--output {} is a folder; give the name of a file", output.path));
  if (std::filesystem::is_symlink(output.path, ignored))
    throw UserError(fmt::format("--output {} is a link, which would be replaced; give the file that it leads to, '{}'",
                                output.path, std::filesystem::read_symlink(output.path, ignored).string()));
  if (std::filesystem::exists(output.path, ignored) && !std::filesystem::is_regular_file(output.path, ignored))
    throw UserError(fmt::format("--output {} is a device or a pipe; give the name of a file", output.path));
  if (!output.overwrite && std::filesystem::exists(output.path, ignored))
    throw UserError(fmt::format("--output {} exists; give another name or --overwrite", output.path));
}

}  // namespace masksc
