#include "masksc/cluster/partition.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "masksc/cluster/borders.hpp"
#include "masksc/cluster/groups.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/core/linkage.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "squared_distance.hpp"

namespace masksc {
namespace {

constexpr std::array<std::int64_t, 4> times_finer = {2, 3, 4, 6};
constexpr std::int64_t finer_restarts = 3;
constexpr std::int64_t cells_a_centre = 10;    // fewer, and centres are single odd cells
constexpr std::int64_t centre_cells = 50'000;  // that finer centres are sought among

/// Which of the centres belong together when `clusters` are left.
std::vector<std::int32_t> merge_centres(const DenseMatrix& centres, std::int64_t clusters) {
  PairDistances distances(centres.rows);
  for (std::int64_t a = 0; a < centres.rows; ++a) {
    for (std::int64_t b = a + 1; b < centres.rows; ++b) {
      distances.values[distances.at(a, b)] = std::sqrt(squared_distance(centres.row(a), centres.row(b)));
    }
  }
  return average_linkage_clusters(std::move(distances), clusters);
}

/// Centres of finer K-means, and the cluster that each of them is merged into.
struct MergedCentres {
  DenseMatrix centres;
  std::vector<std::int32_t> clusters;

  /// Of every row, by its nearest centre. A collective.
  [[nodiscard]] std::vector<std::int32_t> labels(const DealtRows& dealt, int threads, Collectives& ranks) const {
    std::vector<std::int32_t> labels = nearest_centres(centres, dealt, threads, ranks);
    for (std::int32_t& label : labels) label = clusters[static_cast<std::size_t>(label)];
    return labels;
  }
};

MergedCentres merged_centres(const DealtSample& sample, std::int64_t finer, const KMeansSettings& settings,
                             Collectives& ranks, const std::function<void()>& poll) {
  KMeansSettings fine = settings;
  fine.clusters = finer;
  fine.restarts = finer_restarts;
  KMeansResult found = kmeans(sample.dealt(), fine, ranks, poll);
  std::vector<std::int32_t> clusters = merge_centres(found.centres, settings.clusters);
  return {std::move(found.centres), std::move(clusters)};
}

std::vector<std::int64_t> finer_counts(Clustering clustering, std::int64_t clusters, std::int64_t cells) {
  std::vector<std::int64_t> counts;
  if (clustering == Clustering::kmeans || clusters < 2) return counts;
  for (const std::int64_t times : times_finer)
    if (times * clusters * cells_a_centre <= std::min(cells, centre_cells)) counts.push_back(times * clusters);
  return counts;
}

Partition numbered(Partition partition, Collectives& ranks) {
  number_by_size(partition.labels, ranks);
  return partition;
}

}  // namespace

Partition partition_cells(const DealtRows& dealt, Clustering clustering, const KMeansSettings& settings,
                          Collectives& ranks, const std::function<void()>& poll, KMeansProgress* progress) {
  const std::vector<std::int64_t> counts = finer_counts(clustering, settings.clusters, dealt.cells);
  Partition own;  // of K-means
  KMeansResult found;
  if (counts.empty() || clustering == Clustering::best) {
    found = kmeans(dealt, settings, ranks, poll, progress);
    own.labels = std::move(found.labels);
  }
  if (counts.empty()) return numbered(std::move(own), ranks);

  const DealtSample judged = take_rows(dealt, sample_rows(dealt.cells, kJudgedCells, settings.seed));
  const auto score = [&](const std::vector<std::int32_t>& labels) {
    return silhouette(judged.dealt(), labels, ranks, poll).value_or(-1);
  };
  std::vector<std::int32_t> own_judged;
  if (clustering == Clustering::best) {
    own_judged = judged.labels_of(own.labels, dealt.rows.begin);
    own.borders = border_density(judged.local, own_judged, found.centres, ranks);
    if (*own.borders < kCutsTypes) return numbered(std::move(own), ranks);
    own.silhouette = score(own_judged);
  }

  const DealtSample sample = take_rows(dealt, sample_rows(dealt.cells, centre_cells, settings.seed));
  MergedCentres best;
  double best_score = -2;
  for (const std::int64_t finer : counts) {
    MergedCentres merged = merged_centres(sample, finer, settings, ranks, poll);
    const std::vector<std::int32_t> labels = merged.labels(judged.dealt(), settings.threads, ranks);
    if (own.borders && share_across_gaps(judged.local, own_judged, found.centres, labels, ranks) >= kUnitesTypes)
      continue;
    const double merged_score = score(labels);
    if (merged_score <= best_score) continue;
    best_score = merged_score;
    best = std::move(merged);
  }
  if (own.silhouette) {
    if (best_score <= *own.silhouette / kAsGoodSilhouette) return numbered(std::move(own), ranks);
    log::info(
        "clustering: {} finer clusters merged into {} (silhouette {:.3f}); K-means alone ({:.3f}) cuts types (its "
        "borders hold {:.2f} of the cells that there are around centres)",
        best.centres.rows, settings.clusters, best_score, *own.silhouette, *own.borders);
  }
  return numbered({best.labels(dealt, settings.threads, ranks), best.centres.rows, best_score, own.borders}, ranks);
}

}  // namespace masksc
