// What K-means finds in rows when it is asked for so many clusters: how well they separate, whether they are found
// again, whether there are groups at all.
#pragma once

#include <cstdint>
#include <functional>

#include "masksc/cluster/kmeans.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

/// Of more cells a sample is judged: the silhouette compares all pairs.
inline constexpr std::int64_t kJudgedCells = 10'000;
/// Share of a silhouette that counts as equal to it.
inline constexpr double kAsGoodSilhouette = 0.975;

/// The mean silhouette of K-means (3 restarts) into `clusters` clusters; -1 where there is none. A collective.
double kmeans_silhouette(const DealtRows& dealt, std::int64_t clusters, std::uint64_t seed, Collectives& ranks,
                         const std::function<void()>& poll = {});

/// Into how many clusters rows are cut to see whether there are groups, and the silhouette from which on these count
/// as such; evenly spread rows have 0.05 to 0.13.
inline constexpr std::int64_t kManyGroups = 8;
inline constexpr double kShowsGroups = 0.15;

/// Fewer cells are not searched for groups.
inline constexpr std::int64_t kFewestSearched = 2 * kManyGroups + 1;

/// Whether rows fall into groups, or are spread evenly.
struct GroupsFound {
  bool shown = true;
  double silhouette = 0;  // of K-means into 8 clusters
};
/// Groups are shown by a kmeans_silhouette of at least kShowsGroups for kManyGroups clusters or, where there are fewer
/// than that, of at least 0.5 for 4 or 2. Fewer than kFewestSearched cells are taken to show them. A collective.
GroupsFound find_groups(const DealtRows& dealt, std::uint64_t seed, Collectives& ranks);

/// How much K-means agrees with itself: the mean adjusted Rand index between its answers (to all of at most 10,000
/// cells) when it is asked four times, each time of another 70 % of them. A collective.
double kmeans_agreement(const DealtRows& dealt, const KMeansSettings& settings, Collectives& ranks,
                        const std::function<void()>& poll = {});
/// Agreement from which on clusters are taken for what is there (excellent, by Steinley 2004).
inline constexpr double kAgrees = 0.9;

}  // namespace masksc
