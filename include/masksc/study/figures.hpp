// The figures of a finished run, comparison or sweep, numbered as in the paper.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "masksc/report/run_content.hpp"

namespace masksc {

struct Figure {
  std::string name;  // "figure1_methods"
  std::string svg;
};

/// What the folder's results can be drawn as: of a comparison figure1_methods, figure4_cells (t-SNE of each method's
/// features of its first seed that is done) and figure4_cells_umap, of a sweep figure5_curves and figure5_heatmap, of a
/// run figure4_cells, figure4_cells_umap and figure6_attention, with `other` of those clusters. `threads` for the maps.
/// Throws UserError when the folder holds none of these, or nothing to draw, and as read_run.
std::vector<Figure> figures_of(const std::filesystem::path& folder, int threads,
                               const std::optional<OtherClusters>& other = std::nullopt);

}  // namespace masksc
