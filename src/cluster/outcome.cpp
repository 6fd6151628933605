#include "masksc/cluster/outcome.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "masksc/cluster/borders.hpp"
#include "masksc/cluster/groups.hpp"
#include "masksc/cluster/leiden.hpp"
#include "masksc/core/chosen.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {
namespace {

/// Scores of the local clusters that are there.
void score(ClusterOutcome& outcome, const CellFeatures& features, Collectives& ranks,
           const std::function<void()>& poll = {}) {
  const auto silhouette_in = [&](const DenseMatrix& space) {
    return silhouette_score(features.dealt(space), outcome.local, {}, ranks, poll);
  };
  outcome.all = ranks.gather_varied(std::span<const std::int32_t>(outcome.local));
  outcome.silhouette = silhouette_in(features.embedding);
  if (features.components.columns > 0)
    if (const auto known = silhouette_in(features.components)) outcome.silhouette_pca = known->mean;
  if (!ranks.is_root() || features.labels.empty()) return;
  const LabelledCells both = labelled_cells(features.labels, outcome.all);
  if (both.labels.empty()) return;
  outcome.ari = adjusted_rand_index(both.labels, both.clusters);
  outcome.nmi = normalized_mutual_information(both.labels, both.clusters);
}

/// How many clusters have cells; numbered by size, those without are the last.
std::int64_t occupied(const std::vector<std::int32_t>& local, Collectives& ranks) {
  const std::int32_t mine = local.empty() ? -1 : *std::max_element(local.begin(), local.end());
  return ranks.all_reduce(mine, ReduceOp::max) + 1;
}

/// On rank 0, which has all clusters.
void tell_of_small_clusters(const ClusterOutcome& outcome) {
  if (outcome.all.empty()) return;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(outcome.clusters));
  for (const std::int32_t cluster : outcome.all) ++sizes[static_cast<std::size_t>(cluster)];
  std::vector<std::string> small;
  for (std::size_t cluster = 0; cluster < sizes.size(); ++cluster)
    if (sizes[cluster] < kFewestCells) small.push_back(fmt::format("{} has {}", cluster, sizes[cluster]));
  if (!small.empty() && std::ssize(outcome.all) >= kFewestCells * outcome.clusters)
    log::info("clustering: cluster {} cell{}: a rare type, or doublets and poor cells; --clusters asks for fewer{}",
              fmt::join(small, ", "), small.back().ends_with(" 1") ? "" : "s",
              outcome.merged_from > 0 ? ", --clustering kmeans for more equal ones" : "");
}

/// The components that the embedding predicts; no columns where it predicts none.
DenseMatrix predicted_components(const CellFeatures& features) {
  const DenseMatrix& all = features.components;
  if (!features.predicts_components || all.columns == 0) return {};
  return first_columns(all, features.embedding.columns);
}

}  // namespace

Partition partition_features(const CellFeatures& features, std::int64_t clusters, const ClusterSettings& settings,
                             std::uint64_t seed, int threads, Collectives& ranks, const std::function<void()>& poll,
                             KMeansProgress* progress) {
  const KMeansSettings kmeans{.clusters = clusters,
                              .restarts = settings.restarts,
                              .max_iterations = settings.max_iterations,
                              .seed = seed,
                              .threads = threads};
  const auto partition = [&](const DenseMatrix& space, KMeansProgress* known) {
    return partition_cells(features.dealt(space), settings.clustering, kmeans, ranks, poll, known);
  };
  Partition predicted = partition(features.embedding, progress);
  const DenseMatrix components = predicted_components(features);
  if (components.columns == 0) return predicted;
  Partition own = partition(components, nullptr);
  const DealtSample judged = take_rows(features.dealt(components), sample_rows(features.cells, kJudgedCells, seed));
  const auto clearness = [&](const Partition& found) {
    return silhouette(judged.dealt(), judged.labels_of(found.labels, features.rows.begin), ranks, poll).value_or(-1);
  };
  const double of_predicted = clearness(predicted);
  const double of_own = clearness(own);
  log::info(
      "clustering: principal components alone guided; of the clusters of these (silhouette {:.3f} in them) and of what "
      "the features say of them ({:.3f}) the clearer ones are taken",
      of_own, of_predicted);
  own.in_components = true;
  return of_own > of_predicted ? std::move(own) : std::move(predicted);
}

ClusterCount count_clusters(const ClusterSettings& settings, const CellFeatures& features,
                            std::int64_t label_categories, std::uint64_t seed, Collectives& ranks,
                            const std::function<void()>& poll) {
  const DenseMatrix components = predicted_components(features);
  return decide_clusters(settings, label_categories,
                         features.dealt(components.columns > 0 ? components : features.embedding), seed, ranks, poll);
}

ClusterOutcome cluster_features(const ClusterSettings& settings, const CellFeatures& features, std::uint64_t seed,
                                int threads, Collectives& ranks) {
  const ClusterCount count = count_clusters(settings, features, count_categories(features.labels), seed, ranks);
  return cluster_into(count, settings, features, seed, threads, ranks);
}

ClusterOutcome cluster_into(const ClusterCount& count, const ClusterSettings& settings, const CellFeatures& features,
                            std::uint64_t seed, int threads, Collectives& ranks, const std::function<void()>& poll,
                            KMeansProgress* progress) {
  ClusterOutcome outcome;
  outcome.clusters_by = count.source;
  Partition found = partition_features(features, count.clusters, settings, seed, threads, ranks, poll, progress);
  outcome.merged_from = found.finer;
  outcome.in_components = found.in_components;
  outcome.local = std::move(found.labels);
  outcome.clusters = occupied(outcome.local, ranks);
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
  Labels found = leiden(features.dealt(features.embedding), graph, ranks);
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
          {"clusters_in", outcome.in_components ? "components" : "features"},
          {"merged_from", outcome.merged_from > 0 ? Json(outcome.merged_from) : Json(nullptr)}};
}

std::string silhouette_note(const Json& scores) {
  std::string note;
  if (const Json error = scores.value("silhouette_standard_error", Json()); error.is_number() && error > 0)
    note = fmt::format("\u00b1 {:.3f}, of {} cells", error.get<double>(),
                       scores.at("silhouette_cells").get<std::int64_t>());
  const Json known = scores.value("silhouette_pca", Json());
  if (known.is_null()) return note;
  return note + fmt::format("{}{:.3f} in principal components", note.empty() ? "" : "; ", known.get<double>());
}

}  // namespace masksc
