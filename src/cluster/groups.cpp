#include "masksc/cluster/groups.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/silhouette.hpp"
#include "sampled_cells.hpp"

namespace masksc {
namespace {

constexpr std::uint64_t trials = 4;     // of K-means, for its agreement with itself
constexpr double share_of_trial = 0.7;  // of the judged cells
constexpr double shows_few = 0.5;       // the silhouette of 4 or 2

}  // namespace

double kmeans_agreement(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells,
                        const KMeansSettings& settings, Collectives& ranks, const std::function<void()>& poll) {
  const SampledCells judged(local_rows, rows, cells, kJudgedCells, settings.seed);
  const auto size =
      std::max(settings.clusters, std::int64_t{std::llround(share_of_trial * static_cast<double>(judged.cells()))});
  std::vector<std::vector<std::int32_t>> answers;
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    KMeansSettings mine = settings;
    mine.seed = settings.seed + trial;
    const SampledCells part(judged.local.local_rows, judged.local.rows, judged.cells(), size,
                            mine.seed + 1);  // not the judged cells' seed
    const KMeansResult found = kmeans(part.local.local_rows, part.local.rows, part.cells(), mine, ranks, poll);
    const std::vector<std::int32_t> labels = nearest_centres(found.centres, judged.local.local_rows, judged.local.rows,
                                                             judged.cells(), settings.threads, ranks);
    answers.push_back(ranks.all_gather_varied(std::span<const std::int32_t>(labels)));
  }
  double sum = 0;
  for (std::size_t a = 0; a < trials; ++a)
    for (std::size_t b = a + 1; b < trials; ++b) sum += adjusted_rand_index(answers[a], answers[b]);
  constexpr std::uint64_t pairs = trials * (trials - 1) / 2;
  return sum / static_cast<double>(pairs);
}

double kmeans_silhouette(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::int64_t clusters,
                         std::uint64_t seed, Collectives& ranks, const std::function<void()>& poll) {
  const KMeansSettings settings{.clusters = clusters, .restarts = 3, .seed = seed};
  const KMeansResult found = kmeans(local_rows, rows, cells, settings, ranks, poll);
  return silhouette(local_rows, rows, cells, found.labels, ranks, poll).value_or(-1);
}

GroupsFound find_groups(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::uint64_t seed,
                        Collectives& ranks) {
  if (cells < kFewestSearched) return {};
  const auto silhouette_of = [&](std::int64_t clusters) {
    return kmeans_silhouette(local_rows, rows, cells, clusters, seed, ranks);
  };
  const double of_many = silhouette_of(kManyGroups);
  const bool shown = of_many >= kShowsGroups || silhouette_of(4) >= shows_few || silhouette_of(2) >= shows_few;
  return {shown, of_many};
}

}  // namespace masksc
