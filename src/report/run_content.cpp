#include "masksc/report/run_content.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/chosen.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/run_log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/io/h5ad_copy.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

bool has_obsm(const std::filesystem::path& result, const char* name) {
  const std::vector<std::string> names = obsm_names(result);
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The maps that the run itself has drawn: of all its cells.
std::optional<CellMaps> read_maps(const std::filesystem::path& result, std::int64_t cells) {
  if (!has_obsm(result, umap_name) || !has_obsm(result, tsne_name)) return std::nullopt;
  CellMaps maps;
  maps.umap = read_obsm(result, umap_name, cells);
  maps.tsne = read_obsm(result, tsne_name, cells);
  if (maps.umap.columns != 2 || maps.tsne.columns != 2) return std::nullopt;
  return maps;
}

/// The counts of `rows`, read in blocks.
CsrMatrix read_counts(CountsReader& reader, const std::vector<std::int64_t>& rows) {
  constexpr std::int64_t block = 16384;
  CsrMatrix counts;
  counts.columns = reader.genes();
  auto next = rows.begin();
  for (std::int64_t begin = 0; begin < reader.cells(); begin += block) {
    const CsrMatrix part = reader.read_rows({begin, std::min(begin + block, reader.cells())});
    for (; next != rows.end() && *next < begin + part.rows; ++next)
      counts.append_row(part.row_indices(*next - begin), part.row_values(*next - begin));
  }
  return counts;
}

/// What the run was made from: masksc_train keeps it with its checkpoints, masksc_embed in its metrics.
void read_identity(RunContent& run) {
  const std::filesystem::path path = run.folder / "checkpoints" / "run.json";
  const bool trained = !run.metrics.contains("model");
  if (trained && !std::filesystem::exists(path)) {
    log::warning("'{}' is missing, which names the labels and the input", path.string());
    return;
  }
  const Json record = trained ? read_json_file(path) : run.metrics;
  read_json(fmt::format("'{}'", (trained ? path : run.folder / "metrics.json").string()), [&] {
    run.labels = record.at("labels").get<std::string>();
    run.batches = run.metrics.value("batch", "");
    run.inputs = texts_of(trained ? record.at("input").at("path") : record.at("input"));
    run.model = trained ? std::string() : record.at("model").get<std::string>();
    // Absolute where this version wrote them.
    run.sequence_model = record.value("sequence_model_path", record.value("sequence_model", ""));
    run.reference = record.value("reference", "");
    return run.metrics.at("seed").get<std::uint64_t>();
  });
}

/// Names, counts, clusters and columns of result.h5ad.
void read_result(RunContent& run, const std::filesystem::path& result) {
  InputSettings settings;
  settings.labels = clusters_name;
  settings.allow_noninteger = true;
  const auto reader = open_counts(result, settings);
  run.all_cells = reader->cells();
  run.shown = sample_rows(run.all_cells, most_mapped_cells, 0);
  run.cells = chosen(reader->cell_names(), run.shown);
  run.genes = reader->gene_names();
  run.gene_ids = reader->gene_ids();
  run.clusters = {chosen(reader->labels().codes, run.shown), reader->labels().names};
  if (std::count(run.clusters.codes.begin(), run.clusters.codes.end(), -1) > 0)
    throw UserError(fmt::format("obs['masksc'] of '{}' leaves cells without a cluster", result.string()));
  run.counts = read_counts(*reader, run.shown);
  const auto shown_rows = [&](const char* name) {
    return take_rows(read_obsm(result, name, run.all_cells), run.shown);
  };
  run.features = shown_rows(features_name);
  if (has_obsm(result, components_name)) run.components = shown_rows(components_name);
  run.maps = read_maps(result, run.all_cells);
  if (run.maps) {
    for (DenseMatrix* map : {&run.maps->tsne, &run.maps->umap}) *map = take_rows(*map, run.shown);
  }
  run.columns.push_back({clusters_name, run.clusters, {}});
  for (const ObsColumn& column : read_obs(result)) {
    if (column.name == clusters_name) continue;
    // Of labels those that the run compares with: some texts ("nan") say that a cell has none.
    const bool labels = column.name == run.labels && !column.categories.empty();
    const Labels categories = labels ? read_obs_labels(result, run.labels) : column.categories;
    run.columns.push_back(
        {column.name, {chosen(categories.codes, run.shown), categories.names}, chosen(column.numbers, run.shown)});
  }
}

/// ARI and NMI of clusters of all cells with the run's labels and batches, whatever they were compared with where they
/// were made.
void score_against_columns(RunContent& run, const std::filesystem::path& result,
                           const std::vector<std::int32_t>& clusters) {
  const auto cells_of = [&](const std::string& name) {
    const bool known = std::any_of(run.columns.begin(), run.columns.end(),
                                   [&](const ObsColumn& c) { return c.name == name && !c.categories.empty(); });
    return name.empty() || !known ? LabelledCells() : labelled_cells(read_obs_labels(result, name, "labels"), clusters);
  };
  const LabelledCells types = cells_of(run.labels), batches = cells_of(run.batches);
  const auto nmi = [](const LabelledCells& cells) {
    return cells.labels.empty() ? Json() : Json(normalized_mutual_information(cells.labels, cells.clusters));
  };
  run.metrics["ari"] = types.labels.empty() ? Json() : Json(adjusted_rand_index(types.labels, types.clusters));
  run.metrics["nmi"] = nmi(types);
  run.metrics["batch_nmi"] = nmi(batches);
}

void take_other_clusters(RunContent& run, const std::filesystem::path& result, const OtherClusters& other) {
  const ClusterColumn added = read_added_clusters(other.file, other.column);
  const auto alike = [&](const char* key) {
    return read_record_text(other.file, key) == read_record_text(result, key);
  };
  if (std::ssize(added.labels.codes) != run.all_cells || !alike(weights_key) || !alike(embedding_key) ||
      chosen(read_cell_names(other.file), run.shown) != run.cells)
    throw UserError(
        fmt::format("--clusters '{}' was not made of '{}', or its cells were put in another order since: give what "
                    "masksc_cluster made of that file",
                    other.file.string(), result.string()));
  if (std::count(added.labels.codes.begin(), added.labels.codes.end(), -1) > 0)
    throw UserError(fmt::format("--clusters: obs['{}'] of '{}' leaves cells without a cluster", shown(added.name),
                                other.file.string()));
  run.clusters = {chosen(added.labels.codes, run.shown), added.labels.names};
  std::erase_if(run.columns, [&](const ObsColumn& column) { return column.name == added.name; });
  run.columns.insert(run.columns.begin(), {added.name, run.clusters, {}});
  run.clusters_of = other.file.filename().string();
  for (const char* key : {"silhouette", "silhouette_standard_error", "silhouette_cells", "silhouette_pca", "clusters",
                          "clusters_by", "clusters_in", "merged_from"})
    run.metrics[key] = added.record.value(key, Json());
  score_against_columns(run, result, added.labels.codes);
  // Other features than the page shows: their silhouette would stand for what is drawn.
  if (const auto features = added.record.value("features_of", std::string(features_name)); features != features_name)
    for (const char* key : {"silhouette", "silhouette_standard_error", "silhouette_cells"}) run.metrics[key] = nullptr;
}

}  // namespace

RunContent read_run(const std::filesystem::path& folder, const std::optional<OtherClusters>& other) {
  RunContent run;
  run.folder = folder;
  const std::filesystem::path result = folder / "result.h5ad";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    throw UserError(fmt::format("'{}' {}; give the folder that was --output", folder.string(),
                                std::filesystem::exists(folder, ignored) ? "is no folder" : "is not there"));
  const std::filesystem::path points = std::filesystem::weakly_canonical(folder, ignored).parent_path();
  if (points.filename() == "points" && std::filesystem::exists(result, ignored) &&
      !std::filesystem::exists(folder / "metrics.json", ignored))
    throw UserError(
        fmt::format("'{}' holds the clusters of a method, not a run; the page is that of the comparison: '{}'",
                    folder.string(), points.parent_path().string()));
  if (!std::filesystem::is_regular_file(folder / "metrics.json", ignored) ||
      !std::filesystem::is_regular_file(result, ignored))
    throw UserError(
        fmt::format("'{}' holds no finished run: it has no metrics.json and result.h5ad (a stopped run goes on when "
                    "masksc_train is started again)",
                    folder.string()));
  run.metrics = read_json_file(folder / "metrics.json");
  if (std::filesystem::exists(folder / "config.ini")) run.configuration = read_file(folder / "config.ini");
  read_identity(run);
  for_each_logged_line(folder / "log.jsonl", [&](const Json& line) { run.log.push_back(line); });
  read_result(run, result);
  if (other) take_other_clusters(run, result, *other);
  return run;
}

}  // namespace masksc
