// The page report.html: everything about a run, a comparison or a sweep in one file that asks nothing of a network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/report/run_content.hpp"

namespace masksc {

struct PageSettings {
  std::vector<std::string> genes;  // to colour cells by, besides the top markers
  int threads = 1;
};

/// The data of the page: maps (drawn here where the run has none), columns of obs, genes quantised to 255 steps,
/// clusters against the label column, silhouettes (in the features and in principal components), markers, the course of
/// the training, attention, configuration. Throws UserError for a gene that there is not (with the nearest name).
Json page_of_run(const RunContent& run, const PageSettings& settings);

/// Of a folder of masksc_compare or masksc_sweep: comparison.json, sweep.json. Throws UserError when it has neither.
Json page_of_study(const std::filesystem::path& folder);

/// Whether the file begins as the pages that write_page writes.
bool is_page(const std::filesystem::path& path);
/// Writes the page through a staging file. Throws EnvironmentError; an older page is never damaged.
void write_page(const std::filesystem::path& path, const Json& data);

}  // namespace masksc
