#include "masksc/cluster/groups.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "masksc/metrics/agreement.hpp"
#include "masksc/metrics/silhouette.hpp"

namespace masksc {
namespace {

constexpr std::uint64_t trials = 4;     // of K-means, for its agreement with itself
constexpr double share_of_trial = 0.7;  // of the judged cells
constexpr double shows_few = 0.5;       // the silhouette of 4 or 2

}  // namespace

double kmeans_agreement(const DealtRows& dealt, const KMeansSettings& settings, Collectives& ranks,
                        const std::function<void()>& poll) {
  const DealtSample judged = take_rows(dealt, sample_rows(dealt.cells, kJudgedCells, settings.seed));
  const auto size =
      std::max(settings.clusters, std::int64_t{std::llround(share_of_trial * static_cast<double>(judged.cells()))});
  std::vector<std::vector<std::int32_t>> answers;
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    KMeansSettings mine = settings;
    mine.seed = settings.seed + trial;
    const DealtSample part = take_rows(judged.dealt(), sample_rows(judged.cells(), size,
                                                                   mine.seed + 1));  // not the judged cells' seed
    const KMeansResult found = kmeans(part.dealt(), mine, ranks, poll);
    const std::vector<std::int32_t> labels = nearest_centres(found.centres, judged.dealt(), settings.threads, ranks);
    answers.push_back(ranks.all_gather_varied(std::span<const std::int32_t>(labels)));
  }
  double sum = 0;
  for (std::size_t a = 0; a < trials; ++a)
    for (std::size_t b = a + 1; b < trials; ++b) sum += adjusted_rand_index(answers[a], answers[b]);
  constexpr std::uint64_t pairs = trials * (trials - 1) / 2;
  return sum / static_cast<double>(pairs);
}

double kmeans_silhouette(const DealtRows& dealt, std::int64_t clusters, std::uint64_t seed, Collectives& ranks,
                         const std::function<void()>& poll) {
  const KMeansSettings settings{.clusters = clusters, .restarts = 3, .seed = seed};
  const KMeansResult found = kmeans(dealt, settings, ranks, poll);
  return silhouette(dealt, found.labels, ranks, poll).value_or(-1);
}

GroupsFound find_groups(const DealtRows& dealt, std::uint64_t seed, Collectives& ranks) {
  if (dealt.cells < kFewestSearched) return {};
  const auto silhouette_of = [&](std::int64_t clusters) { return kmeans_silhouette(dealt, clusters, seed, ranks); };
  const double of_many = silhouette_of(kManyGroups);
  const bool shown = of_many >= kShowsGroups || silhouette_of(4) >= shows_few || silhouette_of(2) >= shows_few;
  return {shown, of_many};
}

}  // namespace masksc
