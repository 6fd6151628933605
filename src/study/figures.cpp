#include "masksc/study/figures.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/report/figures.hpp"
#include "masksc/run/output_folder.hpp"
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

/// The same cells by t-SNE, as in the paper's Figure 4, and by UMAP.
struct MappedCells {
  std::vector<CellsPanel> tsne, umap;

  void add(const std::string& title, const CellMaps& maps, const Labels& colours,
           const std::vector<std::int32_t>& places = {}) {
    tsne.push_back({title, maps.tsne, colours, places});
    umap.push_back({title, maps.umap, colours, places});
  }
  [[nodiscard]] std::vector<Figure> figures() const {
    return {{"figure4_cells", cells_figure(tsne)}, {"figure4_cells_umap", cells_figure(umap)}};
  }
};

/// Adds the map of one method: its features in `result`, coloured by label, or else by its own clusters.
void add_method(const fs::path& result, const std::string& method, const std::string& labels, int threads,
                MappedCells& cells) {
  if (result.empty()) return;
  const std::vector<ObsColumn> columns = read_obs(result);
  const ObsColumn* colours = nullptr;
  for (const std::string& column :
       {labels, std::string("cluster"), std::string("cluster_auto"), std::string(clusters_name)})
    if (colours == nullptr) colours = find_column(columns, column);
  if (colours == nullptr) return;
  const std::vector<std::string> matrices = obsm_names(result);
  const bool baseline = std::find(matrices.begin(), matrices.end(), "X_features") != matrices.end();
  const DenseMatrix features =
      read_obsm(result, baseline ? "X_features" : features_name, std::ssize(colours->categories.codes));
  cells.add(method, map_cells(features, 0, threads), colours->categories);
}

std::vector<Figure> of_comparison(const fs::path& folder, int threads) {
  const Json table = read_json_file(folder / "comparison.json");
  return read_json(fmt::format("'{}'", (folder / "comparison.json").string()), [&] {
    const std::string labels = table.at("labels").is_string() ? table.at("labels").get<std::string>() : "";
    MappedCells cells;
    for (const Json& row : table.at("methods")) {
      const auto method = row.at("method").get<std::string>();
      log::info("figure 4: t-SNE and UMAP of {}", method);
      add_method(first_result(folder, table.at("points"), method), method, labels, threads, cells);
    }
    std::vector<Figure> figures = cells.figures();
    figures.insert(figures.begin(), {"figure1_methods", bars_figure(table.at("methods"))});
    return figures;
  });
}

std::vector<Figure> of_sweep(const fs::path& folder) {
  const Json sweep = read_json_file(folder / "sweep.json");
  return read_json(fmt::format("'{}'", (folder / "sweep.json").string()), [&] {
    return std::vector<Figure>{{"figure5_curves", sweep_curves(sweep)}, {"figure5_heatmap", sweep_heatmap(sweep)}};
  });
}

std::vector<Figure> of_run(const fs::path& folder, int threads, const std::optional<OtherClusters>& other) {
  const RunContent run = read_attended_run(folder, other);
  const CellMaps maps =
      run.maps ? *run.maps : map_cells(run.features, run.metrics.at("seed").get<std::uint64_t>(), threads);
  MappedCells cells;
  const ObsColumn* labels = find_column(run.columns, run.labels);
  if (labels != nullptr) cells.add(run.labels, maps, labels->categories);
  cells.add(other ? run.columns.front().name : "mask-sc", maps, run.clusters,
            labels != nullptr ? matching_places(run.clusters, labels->categories) : std::vector<std::int32_t>());
  std::vector<Figure> figures = cells.figures();
  if (run.attention) figures.push_back({"figure6_attention", attention_figure(*run.attention, run.clusters.names)});
  return figures;
}

}  // namespace

std::vector<Figure> figures_of(const fs::path& folder, int threads, const std::optional<OtherClusters>& other) {
  const FolderContent content = content_of(folder);
  const bool study = content == FolderContent::comparison || content == FolderContent::sweep;
  if (study && other)
    throw UserError(fmt::format("--clusters: '{}' is {}, whose figures are not of one run: leave the option out",
                                folder.string(), described(content)));
  std::vector<Figure> figures = there(folder / "comparison.json") ? of_comparison(folder, threads)
                                : there(folder / "sweep.json")    ? of_sweep(folder)
                                                                  : of_run(folder, threads, other);
  std::erase_if(figures, [](const Figure& figure) { return figure.svg.empty(); });
  if (figures.empty()) throw UserError(fmt::format("'{}' holds nothing that could be drawn", folder.string()));
  return figures;
}

}  // namespace masksc
