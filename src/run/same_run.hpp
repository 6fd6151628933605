// Whether the run that a folder holds is the one that options ask for, perhaps longer.
#pragma once

#include <filesystem>
#include <string>

#include "masksc/run/options.hpp"

namespace masksc {

/// The end of errors about a folder that a run cannot have.
inline constexpr const char* start_over = "choose another --output, or replace it with --overwrite";

/// What its run.json has of a run's options: files and columns that config.ini leaves out.
struct RecordedOptions {
  std::string labels;
  std::string sequence_model;
};

/// Throws UserError, naming the first difference, when options of the run in `root`, by its config.ini, had other
/// values and the result depends on them, or when it was to be longer than this one.
void refuse_other_settings(const std::filesystem::path& root, const RunOptions& options,
                           const RecordedOptions& recorded);

}  // namespace masksc
