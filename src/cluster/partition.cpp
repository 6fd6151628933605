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
constexpr std::int64_t judged_cells = 10'000;  // the silhouette compares all pairs
constexpr std::uint64_t trials = 4;            // of K-means, for its agreement with itself
constexpr double share_of_trial = 0.7;         // of the judged cells
constexpr double as_good = 0.975;              // share of a silhouette that counts as equal to it, as in choose.cpp
constexpr double agrees = 0.9;                 // mean adjusted Rand index between trials

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

/// Scores labels of the local rows on one sample of the cells, the same for all; and K-means, by its agreement with
/// itself among them.
class Judge {
 public:
  Judge(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::uint64_t seed, Collectives& ranks,
        const std::function<void()>& poll)
      : first_(rows.begin), ranks_(ranks), poll_(poll), chosen_(sample_rows(cells, judged_cells, seed)) {
    sample_ = take_rows(local_rows, rows, chosen_);
  }

  [[nodiscard]] double score(const std::vector<std::int32_t>& labels) const {
    std::vector<std::int32_t> of_sample;
    for (std::int64_t i = sample_.rows.begin; i < sample_.rows.end; ++i)
      of_sample.push_back(labels[static_cast<std::size_t>(chosen_[static_cast<std::size_t>(i)] - first_)]);
    return silhouette(sample_.local_rows, sample_.rows, std::ssize(chosen_), of_sample, ranks_, poll_).value_or(-1);
  }

  [[nodiscard]] double agreement(const KMeansSettings& settings) const {
    std::vector<std::vector<std::int32_t>> answers;  // for all judged cells
    for (std::uint64_t trial = 0; trial < trials; ++trial) answers.push_back(answer(settings, trial));
    double sum = 0;
    for (std::size_t a = 0; a < trials; ++a)
      for (std::size_t b = a + 1; b < trials; ++b) sum += adjusted_rand_index(answers[a], answers[b]);
    constexpr std::uint64_t pairs = trials * (trials - 1) / 2;
    return sum / static_cast<double>(pairs);
  }

 private:
  /// K-means of a part of the judged cells, and the nearest of its centres to each of them.
  [[nodiscard]] std::vector<std::int32_t> answer(const KMeansSettings& settings, std::uint64_t trial) const {
    const std::int64_t judged = std::ssize(chosen_);
    KMeansSettings mine = settings;
    mine.seed = settings.seed + trial;
    const auto size =
        std::max(settings.clusters, std::int64_t{std::llround(share_of_trial * static_cast<double>(judged))});
    const std::vector<std::int64_t> part = sample_rows(judged, size, mine.seed + 1);  // not the judged cells' seed
    const DealtSample rows = take_rows(sample_.local_rows, sample_.rows, part);
    const KMeansResult found = kmeans(rows.local_rows, rows.rows, std::ssize(part), mine, ranks_, poll_);
    const std::vector<std::int32_t> local =
        nearest_centres(found.centres, sample_.local_rows, sample_.rows, judged, settings.threads, ranks_);
    return ranks_.all_gather_varied(std::span<const std::int32_t>(local));
  }

  std::int64_t first_;
  Collectives& ranks_;
  const std::function<void()>& poll_;
  std::vector<std::int64_t> chosen_;
  DealtSample sample_;
};

/// K-means with `finer` centres among a sample of the cells, merged; then every cell by its nearest centre.
std::vector<std::int32_t> merged_labels(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells,
                                        std::int64_t finer, const KMeansSettings& settings, Collectives& ranks,
                                        const std::function<void()>& poll) {
  const std::vector<std::int64_t> chosen = sample_rows(cells, centre_cells, settings.seed);
  const DealtSample sample = take_rows(local_rows, rows, chosen);
  KMeansSettings fine = settings;
  fine.clusters = finer;
  fine.restarts = finer_restarts;
  const KMeansResult found = kmeans(sample.local_rows, sample.rows, std::ssize(chosen), fine, ranks, poll);
  const std::vector<std::int32_t> merged = merge_centres(found.centres, settings.clusters);
  std::vector<std::int32_t> labels = nearest_centres(found.centres, local_rows, rows, cells, settings.threads, ranks);
  for (std::int32_t& label : labels) label = merged[static_cast<std::size_t>(label)];
  return labels;
}

Partition numbered(Partition partition, Collectives& ranks) {
  number_by_size(partition.labels, ranks);
  return partition;
}

}  // namespace

Partition partition_cells(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, Clustering clustering,
                          const KMeansSettings& settings, Collectives& ranks, const std::function<void()>& poll,
                          KMeansProgress* progress) {
  std::vector<std::int64_t> finer;
  for (const std::int64_t times : times_finer) {
    const bool room = times * settings.clusters * cells_a_centre <= std::min(cells, centre_cells);
    if (clustering != Clustering::kmeans && settings.clusters > 1 && room) finer.push_back(times * settings.clusters);
  }
  const bool choose = !finer.empty();
  Partition best;
  std::optional<Judge> judge;
  if (choose) judge.emplace(local_rows, rows, cells, settings.seed, ranks, poll);
  if (!choose || clustering == Clustering::best) {
    best.labels = kmeans(local_rows, rows, cells, settings, ranks, poll, progress).labels;
    if (!choose) return numbered(std::move(best), ranks);
    best.agreement = judge->agreement(settings);
    if (*best.agreement >= agrees) return numbered(std::move(best), ranks);
    best.silhouette = judge->score(best.labels);
  }
  const std::optional<double> of_kmeans = best.silhouette;
  const std::optional<double> agreement = best.agreement;
  for (const std::int64_t count : finer) {
    Partition merged;
    merged.labels = merged_labels(local_rows, rows, cells, count, settings, ranks, poll);
    merged.finer = count;
    merged.silhouette = judge->score(merged.labels);
    const double enough = !best.silhouette ? -2 : best.finer > 0 ? *best.silhouette : *best.silhouette / as_good;
    if (*merged.silhouette > enough) best = std::move(merged);
  }
  if (best.finer > 0 && of_kmeans)
    log::info(
        "clustering: {} finer clusters merged into {} (silhouette {:.3f}); K-means alone ({:.3f}) does not agree with "
        "itself (ARI {:.2f} between samples of the cells)",
        best.finer, settings.clusters, *best.silhouette, *of_kmeans, *agreement);
  best.agreement = agreement;
  return numbered(std::move(best), ranks);
}

}  // namespace masksc
