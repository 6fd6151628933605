// Stage 4: what a run shows of itself: maps of the cells, and the page report.html.
#pragma once

#include <filesystem>
#include <optional>

#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/report/page.hpp"
#include "masksc/report/settings.hpp"

namespace masksc {

/// t-SNE and UMAP of all cells, on rank 0 (nothing on the others), from the ranks' rows of the embedding. Of more than
/// most_mapped_cells cells a sample is mapped, on rank 0, and every rank places its own cells among it (place_cells).
/// Nothing with --report no. Rank 0 has the cores of all ranks of its node, which sleep meanwhile. A collective.
std::optional<CellMaps> map_stage(const ReportSettings& settings, const DealtRows& embedding, std::uint64_t seed,
                                  Collectives& ranks);

/// report.html of the finished run in `folder`, by report_or_warn on rank 0 as map_stage. Nothing with --report no. A
/// collective.
void report_stage(const ReportSettings& settings, const std::filesystem::path& folder, Collectives& ranks);

/// read_run, with the attention of its model; a model that can't be read costs that, with a warning. Throws UserError.
RunContent read_attended_run(const std::filesystem::path& folder,
                             const std::optional<OtherClusters>& other = std::nullopt);

/// Writes report.html of the finished run, comparison or sweep in `folder` to `page`, from one process. A model that
/// can't be read costs the section on attention, with a warning. `other`: clusters in place of a run's own. Throws
/// UserError, EnvironmentError.
void write_report(const std::filesystem::path& folder, const std::filesystem::path& page, const PageSettings& settings,
                  const std::optional<OtherClusters>& other = std::nullopt);

/// The same, to report.html in `folder`; what prevents it is a warning, for the results are there. Returns whether the
/// page is.
bool report_or_warn(const std::filesystem::path& folder, const PageSettings& settings);

}  // namespace masksc
