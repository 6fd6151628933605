#include "masksc/study/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/report/figures.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/study/comparison.hpp"
#include "masksc/study/sweep_report.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

bool there(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

const ObsColumn* find_column(const std::vector<ObsColumn>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const ObsColumn& column) {
    return column.name == name && !column.categories.empty();
  });
  return found == columns.end() ? nullptr : &*found;
}

/// result.h5ad of the first of `points` (of comparison.json, by seed) that is of the method and there; "" without one.
fs::path first_result(const fs::path& folder, const Json& points, const std::string& method) {
  for (const Json& point : points) {
    if (point.at("method") != method) continue;
    fs::path result =
        folder / "points" / compared_point_name(method, point.at("seed").get<std::int64_t>()) / "result.h5ad";
    if (there(result)) return result;
  }
  return "";
}

/// The map of one method: its features in `result`, coloured by label, or else by its own clusters.
std::optional<CellsPanel> panel_of(const fs::path& result, const std::string& method, const std::string& labels,
                                   int threads) {
  if (result.empty()) return std::nullopt;
  const std::vector<ObsColumn> columns = read_obs(result);
  const ObsColumn* colours = nullptr;
  for (const std::string& column : {labels, std::string("cluster"), std::string("cluster_auto"), std::string("masksc")})
    if (colours == nullptr) colours = find_column(columns, column);
  if (colours == nullptr) return std::nullopt;
  const std::vector<std::string> matrices = obsm_names(result);
  const bool baseline = std::find(matrices.begin(), matrices.end(), "X_features") != matrices.end();
  const DenseMatrix features =
      read_obsm(result, baseline ? "X_features" : features_name, std::ssize(colours->categories.codes));
  return CellsPanel{method, map_cells(features, 0, threads).tsne, colours->categories};
}

std::vector<Figure> of_comparison(const fs::path& folder, int threads) {
  const Json table = read_json_file(folder / "comparison.json");
  return read_json(fmt::format("'{}'", (folder / "comparison.json").string()), [&] {
    const std::string labels = table.at("labels").is_string() ? table.at("labels").get<std::string>() : "";
    std::vector<CellsPanel> panels;
    for (const Json& row : table.at("methods")) {
      const auto method = row.at("method").get<std::string>();
      log::info("figure 4: t-SNE of {}", method);
      const fs::path result = first_result(folder, table.at("points"), method);
      if (auto panel = panel_of(result, method, labels, threads)) panels.push_back(std::move(*panel));
    }
    return std::vector<Figure>{{"figure1_methods", bars_figure(table.at("methods"))},
                               {"figure4_cells", cells_figure(panels)}};
  });
}

std::vector<Figure> of_sweep(const fs::path& folder) {
  const Json sweep = read_json_file(folder / "sweep.json");
  return read_json(fmt::format("'{}'", (folder / "sweep.json").string()), [&] {
    return std::vector<Figure>{{"figure5_curves", sweep_curves(sweep)}, {"figure5_heatmap", sweep_heatmap(sweep)}};
  });
}

std::vector<Figure> of_run(const fs::path& folder, int threads) {
  const RunContent run = read_attended_run(folder);
  const DenseMatrix points =
      run.maps ? run.maps->tsne : map_cells(run.features, run.metrics.at("seed").get<std::uint64_t>(), threads).tsne;
  std::vector<CellsPanel> panels;
  if (const ObsColumn* labels = find_column(run.columns, run.labels))
    panels.push_back({run.labels, points, labels->categories});
  panels.push_back({"mask-sc", points, run.clusters});
  std::vector<Figure> figures = {{"figure4_cells", cells_figure(panels)}};
  if (run.attention) figures.push_back({"figure6_attention", attention_figure(*run.attention, run.clusters.names)});
  return figures;
}

}  // namespace

std::vector<Figure> figures_of(const fs::path& folder, int threads) {
  std::vector<Figure> figures = there(folder / "comparison.json") ? of_comparison(folder, threads)
                                : there(folder / "sweep.json")    ? of_sweep(folder)
                                                                  : of_run(folder, threads);
  std::erase_if(figures, [](const Figure& figure) { return figure.svg.empty(); });
  if (figures.empty()) throw UserError(fmt::format("'{}' holds nothing that could be drawn", folder.string()));
  return figures;
}

}  // namespace masksc
