#include "masksc/cluster/outcome.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "masksc/cluster/borders.hpp"
#include "masksc/cluster/leiden.hpp"
#include "masksc/cluster/partition.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {
namespace {

/// Scores of the local clusters that are there.
void score(ClusterOutcome& outcome, const CellFeatures& features, Collectives& ranks,
           const std::function<void()>& poll = {}) {
  const auto& [embedding, components, rows, cells, labels] = features;
  outcome.all = ranks.gather_varied(std::span<const std::int32_t>(outcome.local));
  outcome.silhouette = silhouette_score(embedding, rows, cells, outcome.local, {}, ranks, poll);
  if (components.columns > 0)
    if (const auto known = silhouette_score(components, rows, cells, outcome.local, {}, ranks, poll))
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

ClusterOutcome cluster_features(const ClusterSettings& settings, const CellFeatures& features, std::uint64_t seed,
                                int threads, Collectives& ranks) {
  const ClusterCount count = decide_clusters(settings, count_categories(features.labels), features.embedding,
                                             features.rows, features.cells, seed, ranks);
  return cluster_into(count, settings, features, seed, threads, ranks);
}

ClusterOutcome cluster_into(const ClusterCount& count, const ClusterSettings& settings, const CellFeatures& features,
                            std::uint64_t seed, int threads, Collectives& ranks, const std::function<void()>& poll,
                            KMeansProgress* progress) {
  ClusterOutcome outcome;
  outcome.clusters = count.clusters;
  outcome.clusters_by = count.source;
  Partition found = partition_cells(features.embedding, features.rows, features.cells, settings.clustering,
                                    {.clusters = count.clusters,
                                     .restarts = settings.restarts,
                                     .max_iterations = settings.max_iterations,
                                     .seed = seed,
                                     .threads = threads},
                                    ranks, poll, progress);
  outcome.merged_from = found.finer;
  outcome.local = std::move(found.labels);
  score(outcome, features, ranks, poll);
  tell_of_small_clusters(outcome);
  return outcome;
}

ClusterOutcome leiden_clusters(const ClusterSettings& settings, const CellFeatures& features, std::uint64_t seed,
                               int threads, Collectives& ranks) {
  LeidenSettings graph;
  graph.resolution = settings.resolution;
  graph.neighbours = settings.neighbours;
  graph.seed = seed;
  graph.threads = threads;
  Labels found = leiden(features.embedding, features.rows, features.cells, graph, ranks);
  ClusterOutcome outcome;
  outcome.clusters = static_cast<std::int64_t>(found.names.size());
  outcome.clusters_by = "leiden";
  outcome.local = std::move(found.codes);
  score(outcome, features, ranks);
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

std::string silhouette_note(const Json& scores) {
  std::string note;
  if (const double error = scores.value("silhouette_standard_error", 0.0); error > 0)
    note = fmt::format("\u00b1 {:.3f}, of {} cells", error, scores.at("silhouette_cells").get<std::int64_t>());
  const Json known = scores.value("silhouette_pca", Json());
  if (known.is_null()) return note;
  return note + fmt::format("{}{:.3f} in principal components", note.empty() ? "" : "; ", known.get<double>());
}

}  // namespace masksc
