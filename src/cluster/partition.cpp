#include "masksc/cluster/partition.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "masksc/cluster/order.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "masksc/preprocess/linkage.hpp"

namespace masksc {
namespace {

constexpr std::array<std::int64_t, 4> times_finer = {2, 3, 4, 6};
constexpr std::int64_t finer_restarts = 3;
constexpr std::int64_t cells_a_centre = 10;    // fewer, and centres are single odd cells
constexpr std::int64_t centre_cells = 50'000;  // that finer centres are sought among
constexpr std::uint64_t trials = 4;            // of K-means, for its agreement with itself
constexpr double share_of_trial = 0.7;         // of the judged cells
constexpr double shows_few = 0.5;              // the silhouette of 4 or 2

/// Which of the centres belong together when `clusters` are left.
std::vector<std::int32_t> merge_centres(const DenseMatrix& centres, std::int64_t clusters) {
  PairDistances distances(centres.rows);
  for (std::int64_t a = 0; a < centres.rows; ++a) {
    for (std::int64_t b = a + 1; b < centres.rows; ++b) {
      double squared = 0;
      for (std::int64_t i = 0; i < centres.columns; ++i) {
        const double difference = static_cast<double>(centres.row(a)[static_cast<std::size_t>(i)]) -
                                  static_cast<double>(centres.row(b)[static_cast<std::size_t>(i)]);
        squared += difference * difference;
      }
      distances.values[distances.at(a, b)] = std::sqrt(squared);
    }
  }
  return average_linkage_clusters(std::move(distances), clusters);
}

/// At most so many of the cells, drawn by seed, and those of them that are here.
struct SampledCells {
  std::vector<std::int64_t> chosen;
  DealtSample local;

  SampledCells(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::int64_t most, std::uint64_t seed)
      : chosen(sample_rows(cells, most, seed)), local(take_rows(local_rows, rows, chosen)) {}
  [[nodiscard]] std::int64_t cells() const { return std::ssize(chosen); }
};

/// Labels of the local rows that start with global row `first` -> those of the sampled ones.
std::vector<std::int32_t> labels_of(const SampledCells& sample, const std::vector<std::int32_t>& labels,
                                    std::int64_t first) {
  std::vector<std::int32_t> sampled;
  for (std::int64_t i = sample.local.rows.begin; i < sample.local.rows.end; ++i)
    sampled.push_back(labels[static_cast<std::size_t>(sample.chosen[static_cast<std::size_t>(i)] - first)]);
  return sampled;
}

/// The mean adjusted Rand index between the answers of K-means, each time of another part of the judged cells, to all
/// of them.
double agreement(const SampledCells& judged, const KMeansSettings& settings, Collectives& ranks,
                 const std::function<void()>& poll) {
  const DenseMatrix& rows = judged.local.local_rows;
  const RowRange own = judged.local.rows;
  const auto size =
      std::max(settings.clusters, std::int64_t{std::llround(share_of_trial * static_cast<double>(judged.cells()))});
  std::vector<std::vector<std::int32_t>> answers;
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    KMeansSettings mine = settings;
    mine.seed = settings.seed + trial;
    const SampledCells part(rows, own, judged.cells(), size, mine.seed + 1);  // not the judged cells' seed
    const KMeansResult found = kmeans(part.local.local_rows, part.local.rows, part.cells(), mine, ranks, poll);
    const std::vector<std::int32_t> labels =
        nearest_centres(found.centres, rows, own, judged.cells(), settings.threads, ranks);
    answers.push_back(ranks.all_gather_varied(std::span<const std::int32_t>(labels)));
  }
  double sum = 0;
  for (std::size_t a = 0; a < trials; ++a)
    for (std::size_t b = a + 1; b < trials; ++b) sum += adjusted_rand_index(answers[a], answers[b]);
  constexpr std::uint64_t pairs = trials * (trials - 1) / 2;
  return sum / static_cast<double>(pairs);
}

/// Centres of finer K-means, and the cluster that each of them is merged into.
struct MergedCentres {
  DenseMatrix centres;
  std::vector<std::int32_t> clusters;

  /// Of every row, by its nearest centre. A collective.
  [[nodiscard]] std::vector<std::int32_t> labels(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells,
                                                 int threads, Collectives& ranks) const {
    std::vector<std::int32_t> labels = nearest_centres(centres, local_rows, rows, cells, threads, ranks);
    for (std::int32_t& label : labels) label = clusters[static_cast<std::size_t>(label)];
    return labels;
  }
};

MergedCentres merged_centres(const SampledCells& sample, std::int64_t finer, const KMeansSettings& settings,
                             Collectives& ranks, const std::function<void()>& poll) {
  KMeansSettings fine = settings;
  fine.clusters = finer;
  fine.restarts = finer_restarts;
  KMeansResult found = kmeans(sample.local.local_rows, sample.local.rows, sample.cells(), fine, ranks, poll);
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

double kmeans_agreement(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells,
                        const KMeansSettings& settings, Collectives& ranks, const std::function<void()>& poll) {
  return agreement(SampledCells(local_rows, rows, cells, kJudgedCells, settings.seed), settings, ranks, poll);
}

double kmeans_silhouette(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::int64_t clusters,
                         std::uint64_t seed, Collectives& ranks, const std::function<void()>& poll) {
  const KMeansSettings settings{.clusters = clusters, .restarts = 3, .seed = seed};
  const KMeansResult found = kmeans(local_rows, rows, cells, settings, ranks, poll);
  return silhouette(local_rows, rows, cells, found.labels, ranks, poll).value_or(-1);
}

GroupsFound find_groups(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::uint64_t seed,
                        Collectives& ranks) {
  if (cells <= 2 * kManyGroups) return {};
  const auto silhouette_of = [&](std::int64_t clusters) {
    return kmeans_silhouette(local_rows, rows, cells, clusters, seed, ranks);
  };
  const double of_many = silhouette_of(kManyGroups);
  const bool shown = of_many >= kShowsGroups || silhouette_of(4) >= shows_few || silhouette_of(2) >= shows_few;
  return {shown, of_many};
}

Partition partition_cells(const DenseMatrix& local_rows, const DenseMatrix& components, RowRange rows,
                          std::int64_t cells, Clustering clustering, const KMeansSettings& settings, Collectives& ranks,
                          const std::function<void()>& poll, KMeansProgress* progress) {
  const std::vector<std::int64_t> counts = finer_counts(clustering, settings.clusters, cells);
  Partition own;  // of K-means
  if (counts.empty() || clustering == Clustering::best)
    own.labels = kmeans(local_rows, rows, cells, settings, ranks, poll, progress).labels;
  if (counts.empty()) return numbered(std::move(own), ranks);

  const SampledCells judged(local_rows, rows, cells, kJudgedCells, settings.seed);
  const auto score_in = [&](const DealtSample& space, const std::vector<std::int32_t>& labels) {
    return silhouette(space.local_rows, space.rows, judged.cells(), labels, ranks, poll).value_or(-1);
  };
  const auto score = [&](const std::vector<std::int32_t>& labels) { return score_in(judged.local, labels); };
  if (clustering == Clustering::best) {
    own.agreement = agreement(judged, settings, ranks, poll);
    if (*own.agreement >= kAgrees) return numbered(std::move(own), ranks);
    own.silhouette = score(labels_of(judged, own.labels, rows.begin));
  }

  const SampledCells sample(local_rows, rows, cells, centre_cells, settings.seed);
  MergedCentres best;
  std::vector<std::int32_t> best_labels;  // of the judged cells
  double best_score = -2;
  for (const std::int64_t finer : counts) {
    MergedCentres merged = merged_centres(sample, finer, settings, ranks, poll);
    std::vector<std::int32_t> labels =
        merged.labels(judged.local.local_rows, judged.local.rows, judged.cells(), settings.threads, ranks);
    const double merged_score = score(labels);
    if (merged_score <= best_score) continue;
    best_score = merged_score;
    best = std::move(merged);
    best_labels = std::move(labels);
  }
  if (own.silhouette) {
    if (best_score <= *own.silhouette / kAsGoodSilhouette) return numbered(std::move(own), ranks);
    if (components.columns > 0) {
      const DealtSample known = take_rows(components, rows, judged.chosen);
      const double apart = score_in(known, labels_of(judged, own.labels, rows.begin));
      if (score_in(known, best_labels) <= apart + kClearlyHigher * std::abs(apart))
        return numbered(std::move(own), ranks);
    }
    log::info(
        "clustering: {} finer clusters merged into {} (silhouette {:.3f}); K-means alone ({:.3f}) does not agree with "
        "itself (ARI {:.2f} between samples of the cells)",
        best.centres.rows, settings.clusters, best_score, *own.silhouette, *own.agreement);
  }
  return numbered(
      {best.labels(local_rows, rows, cells, settings.threads, ranks), best.centres.rows, best_score, own.agreement},
      ranks);
}

}  // namespace masksc
