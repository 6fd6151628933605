#include "masksc/run/prepared_input.hpp"

#include <fmt/format.h>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"

namespace masksc {

std::optional<std::filesystem::path> given_prepared(const std::vector<std::filesystem::path>& files,
                                                    const InputSettings& settings, bool keep_input) {
  if (files.size() != 1 || !is_prepared(files.front())) return std::nullopt;
  refuse_choices(files.front(), settings);
  if (keep_input)
    throw UserError(
        fmt::format("--keep-input: '{}' is a prepared file, which holds nothing but counts, names and labels: give the "
                    "h5ad file itself as --input",
                    files.front().string()));
  return files.front();
}

std::vector<std::string> prepare_aloud(const std::vector<std::filesystem::path>& files, const InputSettings& settings,
                                       const std::filesystem::path& path, const std::filesystem::path& kept,
                                       const std::function<void(const CountsReader&)>& check) {
  std::vector<std::string> warnings = warnings_of(prepare_counts(files, settings, path, kept, check));
  for (const std::string& warning : warnings) log::warning("{}", warning);
  return warnings;
}

}  // namespace masksc
