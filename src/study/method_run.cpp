#include "method_run.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "masksc/baselines/features.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/cluster/outcome.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/memory.hpp"
#include "masksc/core/stopwatch.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/h5ad_writer.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "masksc/model/host_memory.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace masksc {
namespace {

/// Of very many cells that of a sample, as runs report it.
Json silhouette_in(const DenseMatrix& space, const std::vector<std::int32_t>& clusters,
                   const std::function<void()>& poll) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const auto score = silhouette_score(undealt(space), clusters, {}, *alone, poll);
  return score ? Json(score->mean) : Json(nullptr);
}

}  // namespace

ComparedData read_compared(const std::filesystem::path& prepared, const PreparationSettings& preparation) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const PreparedFile file(prepared, *alone);
  const RowRange rows{0, file.cells()};
  CsrMatrix counts = file.read_rows(rows);
  ComparedData data;
  for (const double total : cell_totals(counts)) data.totals.push_back(static_cast<float>(total));
  data.expression =
      prepare_expression(counts, file.cells(), rows, file.gene_names(), file.highly_variable(), preparation, *alone);
  data.counts = select_columns(std::move(counts), data.expression.genes);
  return data;
}

MethodOutcome measured(const std::function<MethodOutcome()>& work) {
  start_peak_memory();
  const Stopwatch stopwatch;
  MethodOutcome outcome = work();
  outcome.seconds = stopwatch.seconds();
  outcome.peak_memory = peak_memory();
  return outcome;
}

MethodOutcome run_mask_sc(const RunOptions& options, const RunPlace& place, const BaselineSettings& settings) {
  const bool predicted = run_pipeline(options, place).value("features_from", std::string()) == features_from_components;
  const std::filesystem::path file = std::filesystem::path(options.output) / "result.h5ad";
  const std::int64_t cells = ArrayFile::open(file).info(std::string("obsm/") + features_name).shape.at(0);
  MethodOutcome outcome;
  BaselineResult& result = outcome.found;
  result.features = read_obsm(file, features_name, cells);
  const DenseMatrix components = read_obsm(file, components_name, cells);
  const std::unique_ptr<Collectives> alone = single_rank();
  const Labels no_labels;
  const CellFeatures features{result.features, components, {0, cells}, cells, no_labels, predicted};
  for (const std::int64_t wanted : settings.clusters) {
    ClusterSettings count = options.cluster;
    count.clusters = wanted == 0 ? "auto" : std::to_string(wanted);
    const std::int64_t clusters = count_clusters(count, features, 0, settings.seed, *alone, settings.poll).clusters;
    Partition found = partition_features(features, clusters, count, settings.seed, 1, *alone, settings.poll);
    result.labels.push_back(std::move(found.labels));
    outcome.clusters_in.emplace_back(found.in_components ? "components" : "features");
  }
  return outcome;
}

Json score(const MethodOutcome& outcome, const ComparedCells& cells, const std::function<void()>& poll) {
  Json scores = {{"seconds", outcome.seconds}, {"peak_memory_bytes", outcome.peak_memory}};
  const auto add = [&](const std::string& suffix, const std::vector<std::int32_t>& clusters) {
    ensure(static_cast<std::int64_t>(clusters.size()) == cells.common_space.rows,
           "a method gives every cell a cluster");
    scores["clusters" + suffix] = std::set<std::int32_t>(clusters.begin(), clusters.end()).size();
    scores["silhouette" + suffix] = silhouette_in(outcome.found.features, clusters, poll);
    scores["silhouette_pca" + suffix] = silhouette_in(cells.common_space, clusters, poll);
    if (cells.labels.empty()) return;
    const LabelledCells both = labelled_cells(cells.labels, clusters);
    if (both.labels.empty()) return;
    scores["ari" + suffix] = adjusted_rand_index(both.labels, both.clusters);
    scores["nmi" + suffix] = normalized_mutual_information(both.labels, both.clusters);
    scores["accuracy" + suffix] = clustering_accuracy(both.labels, both.clusters);
  };
  if (cells.clusters > 0) add("", outcome.found.labels.front());
  add("_auto", outcome.found.labels.back());
  if (outcome.clusters_in.empty()) return scores;
  if (cells.clusters > 0) scores["clusters_in"] = outcome.clusters_in.front();
  scores["clusters_in_auto"] = outcome.clusters_in.back();
  return scores;
}

void write_method_result(const std::filesystem::path& path, const MethodOutcome& outcome, const ComparedCells& cells) {
  H5adWriter writer(path, cells.names, {});
  const auto named = [](const std::vector<std::int32_t>& clusters) {
    return name_clusters(clusters, *std::max_element(clusters.begin(), clusters.end()) + 1);
  };
  if (cells.clusters > 0) writer.add_obs("cluster", named(outcome.found.labels.front()));
  writer.add_obs("cluster_auto", named(outcome.found.labels.back()));
  const bool own_name = cells.label_column == "cluster" || cells.label_column == "cluster_auto";
  if (!cells.labels.empty() && !own_name) writer.add_obs(cells.label_column, cells.labels);
  writer.add_obsm("X_features", outcome.found.features.columns);
  writer.append_obsm("X_features", outcome.found.features);
  writer.finish();
}

}  // namespace masksc
