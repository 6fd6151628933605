// The cells' side of the page: maps, columns, genes, clusters against labels and batches, silhouettes, markers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "masksc/report/figures.hpp"
#include "masksc/report/markers.hpp"
#include "masksc/report/settings.hpp"
#include "pack.hpp"
#include "page_parts.hpp"

namespace masksc::detail {
namespace {

constexpr std::size_t listed_markers = 30;             // of a cluster, in the table
constexpr std::size_t coloured_markers = 10;           // of a cluster, to colour cells by
constexpr std::size_t dotted_markers = 3;              // of a cluster, in the dot plot
constexpr std::int64_t most_gene_values = 12'000'000;  // a byte each: the page stays under 25 MB
constexpr std::int64_t most_named_cells = 20'000;
constexpr std::int64_t silhouette_cells = 10'000;

Json pack_map(const DenseMatrix& points) {
  Json axes = Json::array();
  for (std::int64_t axis = 0; axis < 2; ++axis) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < points.rows; ++i) values.push_back(points.row(i)[static_cast<std::size_t>(axis)]);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    // Both axes on one scale, so that the map keeps its shape.
    const auto [all_low, all_high] = std::minmax_element(points.values.begin(), points.values.end());
    const float extent = *all_high - *all_low;
    axes.push_back(pack(quantise<std::uint16_t>(values, *low, *low + std::max(extent, *high - *low), 65535.0F)));
  }
  return axes;
}

Json pack_column(const ObsColumn& column) {
  if (column.categories.empty()) {
    const std::vector<float> values(column.numbers.begin(), column.numbers.end());
    return {{"name", column.name}, {"values", pack(values)}};
  }
  std::vector<std::int16_t> codes;
  for (const std::int32_t code : column.categories.codes)
    codes.push_back(code > std::numeric_limits<std::int16_t>::max() ? std::int16_t{-1}
                                                                    : static_cast<std::int16_t>(code));
  return {{"name", column.name}, {"names", column.categories.names}, {"codes", pack(codes)}};
}

/// Numbers of the genes to colour cells by: those asked for, then the best markers of each cluster in turn.
std::vector<std::int64_t> coloured_genes(const RunContent& run, const std::vector<std::string>& wanted,
                                         const ClusterMarkers& markers) {
  std::vector<std::int64_t> genes;
  std::set<std::int64_t> taken;
  const auto take = [&](std::int64_t gene) {
    const auto room = most_gene_values / std::max<std::int64_t>(run.counts.rows, 1);
    if (static_cast<std::int64_t>(genes.size()) < room && taken.insert(gene).second) genes.push_back(gene);
  };
  for (const std::int64_t gene : find_report_genes(wanted, run.genes, run.gene_ids)) take(gene);
  for (std::size_t i = 0; i < coloured_markers; ++i)
    for (const std::vector<Marker>& list : markers.of_cluster)
      if (i < list.size()) take(list[i].gene);
  return genes;
}

Json pack_genes(const RunContent& run, const CsrMatrix& expression, const std::vector<std::int64_t>& genes) {
  std::vector<std::int32_t> place(run.genes.size(), -1);
  for (std::size_t i = 0; i < genes.size(); ++i)
    place[static_cast<std::size_t>(genes[i])] = static_cast<std::int32_t>(i);
  const auto cells = static_cast<std::size_t>(expression.rows);
  std::vector<std::vector<float>> values(genes.size(), std::vector<float>(cells));
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const auto indices = expression.row_indices(static_cast<std::int64_t>(cell));
    const auto row = expression.row_values(static_cast<std::int64_t>(cell));
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const std::int32_t at = place[static_cast<std::size_t>(indices[i])];
      if (at >= 0) values[static_cast<std::size_t>(at)][cell] = row[i];
    }
  }
  Json packed = Json::array();
  for (std::size_t i = 0; i < genes.size(); ++i) {
    const float most = *std::max_element(values[i].begin(), values[i].end());
    packed.push_back({{"name", run.genes[static_cast<std::size_t>(genes[i])]},
                      {"most", most},
                      {"values", pack(quantise<std::uint8_t>(values[i], 0, most, 255.0F))}});
  }
  return packed;
}

/// The categories of obs[name]; null without such a column, or where it is the clusters'.
const Labels* categories_of(const RunContent& run, const std::string& name) {
  const auto column = std::find_if(run.columns.begin() + 1, run.columns.end(),
                                   [&](const ObsColumn& c) { return c.name == name && !c.categories.empty(); });
  return name.empty() || column == run.columns.end() ? nullptr : &column->categories;
}

/// How many cells of each category of obs[name] are in each cluster. Null without such a column.
Json counts_in_clusters(const RunContent& run, const std::string& name) {
  const Labels* const categories = categories_of(run, name);
  if (categories == nullptr) return nullptr;
  const Labels& labels = *categories;
  std::vector<std::vector<std::int64_t>> counts(labels.names.size(),
                                                std::vector<std::int64_t>(run.clusters.names.size()));
  for (std::size_t i = 0; i < labels.codes.size(); ++i)
    if (labels.codes[i] >= 0)
      ++counts[static_cast<std::size_t>(labels.codes[i])][static_cast<std::size_t>(run.clusters.codes[i])];
  return {{"column", name}, {"labels", labels.names}, {"clusters", run.clusters.names}, {"counts", counts}};
}

/// Silhouettes of the `clusters` of `cells`, numbers of rows of a space. Null where they have none.
Json silhouettes_in(const DenseMatrix& space, const std::string& name, const std::vector<std::int64_t>& cells,
                    const std::vector<std::int32_t>& clusters, std::size_t k) {
  const auto alone = single_rank();
  const DenseMatrix rows = take_rows(space, cells);
  const auto values = silhouette_values(undealt(rows), clusters, *alone);
  if (!values) return nullptr;
  std::vector<std::vector<double>> of_cluster(k);
  for (std::size_t i = 0; i < clusters.size(); ++i)
    of_cluster[static_cast<std::size_t>(clusters[i])].push_back((*values)[i]);
  Json packed = Json::array(), means = Json::array();
  const auto mean_of = [](const std::vector<double>& list) {
    return list.empty() ? 0 : std::accumulate(list.begin(), list.end(), 0.0) / static_cast<double>(list.size());
  };
  for (std::vector<double>& list : of_cluster) {
    std::sort(list.begin(), list.end());
    std::vector<std::int8_t> steps;
    for (const double value : list) steps.push_back(static_cast<std::int8_t>(std::lround(100 * value)));
    packed.push_back(pack(steps));
    means.push_back(mean_of(list));
  }
  return {{"name", name}, {"values", packed}, {"means", means}, {"mean", mean_of(*values)}};
}

/// In the features, which show what was learnt, and in the components, which show what the data hold of it.
Json silhouettes_of(const RunContent& run) {
  const std::vector<std::int64_t> sample = sample_rows(run.features.rows, silhouette_cells, 1);
  std::vector<std::int32_t> clusters;
  for (const std::int64_t row : sample) clusters.push_back(run.clusters.codes[static_cast<std::size_t>(row)]);
  Json spaces = Json::array();
  for (const auto& [name, space] :
       {std::pair("learnt features", &run.features), std::pair("principal components", &run.components)}) {
    if (space->columns == 0) continue;
    const Json found = silhouettes_in(*space, name, sample, clusters, run.clusters.names.size());
    if (found.is_null()) return nullptr;
    spaces.push_back(found);
  }
  const std::string note =
      std::cmp_less(sample.size(), run.all_cells)
          ? fmt::format("Silhouettes of a sample of {} of the {} cells.", sample.size(), run.all_cells)
          : std::string();
  return {{"clusters", run.clusters.names}, {"spaces", spaces}, {"note", note}};
}

Json marker_json(const RunContent& run, const Marker& marker) {
  return {{"gene", run.genes[static_cast<std::size_t>(marker.gene)]},
          {"auc", marker.auc},
          {"log2_change", marker.log2_change},
          {"inside", marker.inside},
          {"outside", marker.outside}};
}

/// Mean and share of cells of the best markers, in every cluster.
Json dots_of(const RunContent& run, const ClusterMarkers& markers) {
  std::vector<std::int64_t> genes;
  for (const std::vector<Marker>& list : markers.of_cluster)
    for (std::size_t i = 0; i < std::min(dotted_markers, list.size()); ++i)
      if (std::find(genes.begin(), genes.end(), list[i].gene) == genes.end()) genes.push_back(list[i].gene);
  Json names = Json::array(), means = Json::array(), detected = Json::array();
  for (const std::int64_t gene : genes) names.push_back(run.genes[static_cast<std::size_t>(gene)]);
  for (std::size_t cluster = 0; cluster < markers.of_cluster.size(); ++cluster) {
    Json mean_row = Json::array(), detected_row = Json::array();
    for (const std::int64_t gene : genes) {
      mean_row.push_back(markers.mean[cluster][static_cast<std::size_t>(gene)]);
      detected_row.push_back(markers.detected[cluster][static_cast<std::size_t>(gene)]);
    }
    means.push_back(mean_row);
    detected.push_back(detected_row);
  }
  return {{"genes", names}, {"clusters", run.clusters.names}, {"mean", means}, {"detected", detected}};
}

}  // namespace

void add_cells(Json& page, const RunContent& run, const PageSettings& settings) {
  const CsrMatrix expression = log_expression(run.counts);
  const auto k = static_cast<std::int64_t>(run.clusters.names.size());
  const ClusterMarkers markers = find_markers(expression, run.clusters.codes, k, listed_markers, settings.threads);
  const auto seed = run.metrics.at("seed").get<std::uint64_t>();
  const CellMaps maps = run.maps ? *run.maps : map_cells(run.features, seed, settings.threads);
  std::string note = describe_maps(run.features.rows, seed);
  if (run.features.rows < run.all_cells)
    note += fmt::format(" A sample of {} of the {} cells is shown.", run.features.rows, run.all_cells);
  page["cells"] = run.features.rows;
  page["all_cells"] = run.all_cells;
  page["maps"] = {{"umap", pack_map(maps.umap)}, {"tsne", pack_map(maps.tsne)}, {"how", note}};
  if (run.features.rows <= most_named_cells) {
    page["maps"]["names"] = run.cells;
  } else {
    page["maps"]["cells"] = pack(std::vector<std::int32_t>(run.shown.begin(), run.shown.end()));
  }
  page["columns"] = Json::array();
  for (const ObsColumn& column : run.columns) page["columns"].push_back(pack_column(column));
  if (const Labels* const labels = categories_of(run, run.labels))
    page["columns"][0]["colours"] = matching_places(run.clusters, *labels);
  page["genes"] = pack_genes(run, expression, coloured_genes(run, settings.genes, markers));
  page["confusion"] = counts_in_clusters(run, run.labels);
  page["batches"] = run.batches == run.labels ? Json() : counts_in_clusters(run, run.batches);
  page["silhouettes"] = silhouettes_of(run);
  page["markers"] = nullptr;
  if (k < 2) return;
  page["markers"] = Json::array();
  for (const std::vector<Marker>& list : markers.of_cluster) {
    Json rows = Json::array();
    for (const Marker& marker : list) rows.push_back(marker_json(run, marker));
    page["markers"].push_back(rows);
  }
  page["dots"] = dots_of(run, markers);
}

}  // namespace masksc::detail
