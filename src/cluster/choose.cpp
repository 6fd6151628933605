#include "masksc/cluster/choose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "masksc/cluster/groups.hpp"
#include "masksc/cluster/leiden.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

constexpr std::int64_t most_clusters = 30;    // tried by silhouette
constexpr std::int64_t percent_of_cells = 1;  // a Leiden cluster below it doesn't count

std::int64_t count_by_leiden(const DealtRows& dealt, const ClusterSettings& settings, std::uint64_t seed,
                             Collectives& ranks) {
  LeidenSettings leiden_settings;
  leiden_settings.resolution = settings.resolution;
  leiden_settings.neighbours = settings.neighbours;
  leiden_settings.seed = seed;
  const Labels found = leiden(dealt, leiden_settings, ranks);
  std::vector<std::int64_t> sizes(found.names.size());
  for (const std::int32_t code : found.codes) ++sizes[static_cast<std::size_t>(code)];
  ranks.all_reduce(std::span(sizes));
  const auto large = std::count_if(sizes.begin(), sizes.end(),
                                   [&](std::int64_t size) { return 100 * size >= percent_of_cells * dealt.cells; });
  return std::max<std::int64_t>(1, large);
}

/// The numbers whose silhouettes are as good as the best, in order; 1 alone where none is above 0.
std::vector<std::int64_t> counts_by_silhouette(const DealtRows& dealt, std::uint64_t seed, Collectives& ranks,
                                               const std::function<void()>& poll) {
  const DealtSample judged = take_rows(dealt, sample_rows(dealt.cells, kJudgedCells, seed));
  std::vector<double> scores;  // of 2, 3, ... clusters
  for (std::int64_t count = 2; count <= std::min(most_clusters, judged.cells() - 1); ++count) {
    scores.push_back(kmeans_silhouette(judged.dealt(), count, seed, ranks, poll));
  }
  const double best = scores.empty() ? 0 : *std::max_element(scores.begin(), scores.end());
  if (best <= 0) return {1};
  std::vector<std::int64_t> as_good;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (scores[i] >= kAsGoodSilhouette * best) as_good.push_back(static_cast<std::int64_t>(i) + 2);
  return as_good;
}

}  // namespace

void describe(OptionTable& table, ClusterSettings& settings) {
  if (!has_leiden()) settings.choice = ClusterChoice::silhouette;
  table.begin_group("Clustering");
  table.add("clusters", settings.clusters,
            "number of clusters, or auto; without it: as many as label categories, auto without labels", "N|auto");
  table.add_choice(
      "clustering", settings.clustering,
      {{"best", Clustering::best}, {"kmeans", Clustering::kmeans}, {"merged", Clustering::merged}},
      "K-means; finer K-means whose centres are merged, which leaves large types whole; best: merged where the borders "
      "between K-means' clusters are full of cells and merging separates better");
  table.add_choice(
      "auto-clusters", settings.choice,
      {{"both", ClusterChoice::both}, {"leiden", ClusterChoice::leiden}, {"silhouette", ClusterChoice::silhouette}},
      "what chooses the number: communities of the neighbour graph, the silhouette over 2 .. 30, or both: that of the "
      "communities where its silhouette is as good as the best, else the larger one that K-means finds again");
  table.add("resolution", settings.resolution, "resolution of Leiden's modularity: more clusters above, fewer below");
  table.add("neighbours", settings.neighbours, "nearest cells of a cell in Leiden's graph");
  table.add("kmeans-restarts", settings.restarts, "starts of K-means; the best is kept");
  table.add("kmeans-iterations", settings.max_iterations, "most iterations of K-means per start");
}

void validate(const ClusterSettings& settings) {
  const auto count = number_of<std::int64_t>(settings.clusters);
  if (!settings.clusters.empty() && settings.clusters != "auto" && !(count && *count >= 1)) {
    throw UserError(fmt::format("--clusters is '{}'; give a number of at least 1, or auto", shown(settings.clusters)));
  }
  if (settings.choice != ClusterChoice::silhouette && !has_leiden()) {
    throw UserError(
        fmt::format("--auto-clusters {}: this build of mask-sc has no Leiden (igraph was left out); choose silhouette",
                    settings.choice == ClusterChoice::leiden ? "leiden" : "both"));
  }
  require_positive("resolution", settings.resolution);
  require_at_least("neighbours", settings.neighbours, 1);
  require_at_least("kmeans-restarts", settings.restarts, 1);
  require_at_least("kmeans-iterations", settings.max_iterations, 1);
}

void check_clusters(const ClusterSettings& settings, std::int64_t cells) {
  const auto count = number_of<std::int64_t>(settings.clusters);
  if (count && *count > cells)
    throw UserError(fmt::format("--clusters is {}, but there are only {} cells; ask for fewer", *count, cells));
}

std::optional<ClusterCount> given_clusters(const ClusterSettings& settings, std::int64_t label_categories) {
  if (const auto count = number_of<std::int64_t>(settings.clusters)) return ClusterCount{*count, "option"};
  if (settings.clusters.empty() && label_categories > 0) return ClusterCount{label_categories, "labels"};
  return std::nullopt;
}

ClusterCount decide_clusters(const ClusterSettings& settings, std::int64_t label_categories, const DealtRows& dealt,
                             std::uint64_t seed, Collectives& ranks, const std::function<void()>& poll) {
  check_clusters(settings, dealt.cells);
  if (const auto given = given_clusters(settings, label_categories)) return *given;
  return {choose_clusters(dealt, settings, seed, ranks, poll), "auto"};
}

std::int64_t choose_clusters(const DealtRows& dealt, const ClusterSettings& settings, std::uint64_t seed,
                             Collectives& ranks, const std::function<void()>& poll) {
  check_dealt_rows(dealt, ranks);
  if (settings.choice == ClusterChoice::leiden) return count_by_leiden(dealt, settings, seed, ranks);
  const std::vector<std::int64_t> as_good = counts_by_silhouette(dealt, seed, ranks, poll);
  const std::int64_t separated = as_good.back();
  if (settings.choice == ClusterChoice::silhouette) return separated;
  const std::int64_t communities = count_by_leiden(dealt, settings, seed, ranks);
  if (std::find(as_good.begin(), as_good.end(), communities) != as_good.end()) return communities;
  if (communities < separated) return separated;
  const KMeansSettings trial{.clusters = communities, .restarts = 3, .seed = seed};
  return kmeans_agreement(dealt, trial, ranks, poll) >= kAgrees ? communities : separated;
}

}  // namespace masksc
