#include "masksc/run/clustering.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "masksc/cluster/borders.hpp"
#include "masksc/cluster/leiden.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "masksc/run/labels.hpp"

namespace masksc {
namespace {

/// Scores of the local clusters that are there.
void score(ClusterOutcome& outcome, CellFeatures local, RowRange rows, std::int64_t cells, const Labels& labels,
           Collectives& ranks, const std::function<void()>& poll = {}) {
  outcome.all = ranks.gather_varied(std::span<const std::int32_t>(outcome.local));
  outcome.silhouette = silhouette_score(local.embedding, rows, cells, outcome.local, {}, ranks, poll);
  if (local.components.columns > 0)
    if (const auto known = silhouette_score(local.components, rows, cells, outcome.local, {}, ranks, poll))
      outcome.silhouette_pca = known->mean;
  if (!ranks.is_root() || labels.empty()) return;
  const LabelledCells both = labelled_cells(labels, outcome.all);
  if (both.labels.empty()) return;
  outcome.ari = adjusted_rand_index(both.labels, both.clusters);
  outcome.nmi = normalized_mutual_information(both.labels, both.clusters);
}

/// On rank 0, which has all clusters. An empty one is small, too.
void tell_of_small_clusters(const ClusterOutcome& outcome) {
  if (outcome.all.empty()) return;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(outcome.clusters));
  for (const std::int32_t cluster : outcome.all) ++sizes[static_cast<std::size_t>(cluster)];
  const auto small = std::count_if(sizes.begin(), sizes.end(), [](auto size) { return size < kFewestCells; });
  if (small > 0 && std::ssize(outcome.all) >= kFewestCells * outcome.clusters)
    log::info(
        "clustering: {} of the {} clusters hold fewer than {} cells, which differ from all others; --clusters asks for "
        "fewer{}",
        small, outcome.clusters, kFewestCells,
        outcome.merged_from > 0 ? ", --clustering kmeans for more equal ones" : "");
}

}  // namespace

ClusterOutcome cluster_features(const ClusterSettings& settings, CellFeatures local, RowRange rows, std::int64_t cells,
                                const Labels& labels, std::uint64_t seed, Collectives& ranks) {
  const ClusterCount count =
      decide_clusters(settings, count_categories(labels), local.embedding, rows, cells, seed, ranks);
  return cluster_into(count, settings, local, rows, cells, labels, seed, ranks);
}

ClusterOutcome cluster_into(const ClusterCount& count, const ClusterSettings& settings, CellFeatures local,
                            RowRange rows, std::int64_t cells, const Labels& labels, std::uint64_t seed,
                            Collectives& ranks, const std::function<void()>& poll, KMeansProgress* progress) {
  ClusterOutcome outcome;
  outcome.clusters = count.clusters;
  outcome.clusters_by = count.source;
  Partition found = partition_cells(local.embedding, rows, cells, settings.clustering,
                                    {.clusters = count.clusters,
                                     .restarts = settings.restarts,
                                     .max_iterations = settings.max_iterations,
                                     .seed = seed,
                                     .threads = at::get_num_threads()},
                                    ranks, poll, progress);
  outcome.merged_from = found.finer;
  outcome.local = std::move(found.labels);
  score(outcome, local, rows, cells, labels, ranks, poll);
  tell_of_small_clusters(outcome);
  return outcome;
}

ClusterOutcome leiden_clusters(const ClusterSettings& settings, CellFeatures local, RowRange rows, std::int64_t cells,
                               const Labels& labels, std::uint64_t seed, Collectives& ranks) {
  LeidenSettings graph;
  graph.resolution = settings.resolution;
  graph.neighbours = settings.neighbours;
  graph.seed = seed;
  graph.threads = at::get_num_threads();
  Labels found = leiden(local.embedding, rows, cells, graph, ranks);
  ClusterOutcome outcome;
  outcome.clusters = static_cast<std::int64_t>(found.names.size());
  outcome.clusters_by = "leiden";
  outcome.local = std::move(found.codes);
  score(outcome, local, rows, cells, labels, ranks);
  return outcome;
}

Json score_json(const ClusterOutcome& outcome) {
  const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
  const SilhouetteScore sampled = outcome.silhouette.value_or(SilhouetteScore{});
  return {{"ari", number(outcome.ari)},
          {"nmi", number(outcome.nmi)},
          {"silhouette", outcome.silhouette ? Json(sampled.mean) : Json(nullptr)},
          {"silhouette_standard_error", sampled.standard_error},
          {"silhouette_cells", sampled.cells},
          {"silhouette_pca", number(outcome.silhouette_pca)},
          {"clusters", outcome.clusters},
          {"clusters_by", outcome.clusters_by},
          {"merged_from", outcome.merged_from > 0 ? Json(outcome.merged_from) : Json(nullptr)}};
}

}  // namespace masksc
