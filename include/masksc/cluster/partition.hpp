// A given number of clusters: those of K-means, or of finer K-means whose centres are merged.
//
// K-means likes clusters of equal size: it cuts a large type in two before it tells two small ones apart. Finer
// clusters whose centres are merged by average linkage, each centre counting once whatever its number of cells, leave
// large types whole. Which of them suits the data is asked from the data: where K-means finds other clusters in other
// samples of the cells, it cuts what has no gaps, and the partition of the highest mean silhouette takes its place. The
// rows are features that a network made, and may show gaps that are none: the merged clusters must be the better
// separated ones in what the cells are known by, too.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "masksc/cluster/kmeans.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Of more cells a sample is judged: the silhouette compares all pairs.
inline constexpr std::int64_t kJudgedCells = 10'000;
/// Share of a silhouette that counts as equal to it.
inline constexpr double kAsGoodSilhouette = 0.975;
/// A silhouette in components counts as higher when it is so by this share.
inline constexpr double kClearlyHigher = 0.1;

/// The mean silhouette of K-means (3 restarts) into `clusters` clusters; -1 where there is none. A collective.
double kmeans_silhouette(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::int64_t clusters,
                         std::uint64_t seed, Collectives& ranks, const std::function<void()>& poll = {});

/// Into how many clusters rows are cut to see whether there are groups, and the silhouette from which on these count
/// as such; evenly spread rows have 0.05 to 0.13.
inline constexpr std::int64_t kManyGroups = 8;
inline constexpr double kShowsGroups = 0.15;

/// Whether rows fall into groups, or are spread evenly.
struct GroupsFound {
  bool shown = true;
  double silhouette = 0;  // of K-means into 8 clusters
};
/// Groups are shown by a kmeans_silhouette of at least kShowsGroups for kManyGroups clusters or, where there are fewer
/// than that, of at least 0.5 for 4 or 2. Fewer than 17 cells are taken to show them. A collective.
GroupsFound find_groups(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::uint64_t seed,
                        Collectives& ranks);

/// How much K-means agrees with itself: the mean adjusted Rand index between its answers (to all of at most 10,000
/// cells) when it is asked four times, each time of another 70 % of them. A collective.
double kmeans_agreement(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells,
                        const KMeansSettings& settings, Collectives& ranks, const std::function<void()>& poll = {});
/// Agreement from which on clusters are taken for what is there (excellent, by Steinley 2004).
inline constexpr double kAgrees = 0.9;

enum class Clustering {
  best,    // K-means where its samples agree; else merged, where its silhouettes are clearly higher
  kmeans,  // K-means
  merged,  // the best of K-means with 2, 3, 4 and 6 times as many centres, merged by average linkage
};

struct Partition {
  std::vector<std::int32_t> labels;  // of the local rows, numbered by size
  std::int64_t finer = 0;            // the centres that were merged; 0: K-means' own clusters
  std::optional<double> silhouette;  // by which it was chosen: of at most 10,000 cells; nothing without a choice
  std::optional<double> agreement;   // of K-means with itself; nothing where that was not asked
};

/// Clusters the rows dealt out over `ranks` into settings.clusters clusters; the same bits on any number of ranks.
/// best: K-means is asked 4 times, each time of another 70 % of the cells; where the mean adjusted Rand index between
/// the answers is at least 0.9 (excellent, by Steinley 2004), its clusters are taken without further choice.
/// Elsewhere they stay where their silhouette is at least 97.5 % of the best of the others, or where that one's in
/// `components` [local rows, any] (principal components of expression; without columns not asked) is not higher by a
/// tenth.
/// Finer centres are sought among at most 50,000 cells (drawn by seed) with 3 restarts, and only where there are at
/// least 10 cells for each; without any such, and for a single cluster, the answer is K-means'. `poll` and `progress`
/// as kmeans takes them (progress of K-means proper). A collective; throws as kmeans.
Partition partition_cells(const DenseMatrix& local_rows, const DenseMatrix& components, RowRange rows,
                          std::int64_t cells, Clustering clustering, const KMeansSettings& settings, Collectives& ranks,
                          const std::function<void()>& poll = {}, KMeansProgress* progress = nullptr);

}  // namespace masksc
