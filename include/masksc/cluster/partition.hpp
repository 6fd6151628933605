// A given number of clusters: those of K-means, or of finer K-means whose centres are merged.
//
// K-means likes clusters of equal size: it cuts a large type in two before it tells two small ones apart. Finer
// clusters whose centres are merged by average linkage, each centre counting once whatever its number of cells, leave
// large types whole. Which of them suits the data is asked from the data: where the borders between K-means' clusters
// are full of cells it cuts types, and the merged clusters of the highest mean silhouette take their place.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "masksc/cluster/kmeans.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

/// border_density of K-means' clusters from which on they cut types: in the mean of the cells, a border lacks less than
/// a third of the cells that there are around centres.
inline constexpr double kCutsTypes = 2.0 / 3.0;

/// share_across_gaps from which on merged clusters do not count: they unite what belongs to different types. In
/// features with cells far outside, average linkage takes those off one by one and leaves all others in one cluster, of
/// a high silhouette.
inline constexpr double kUnitesTypes = 0.25;

enum class Clustering {
  best,    // K-means where its clusters have gaps between them; else merged, where its silhouette is higher
  kmeans,  // K-means
  merged,  // the best of K-means with 2, 3, 4 and 6 times as many centres, merged by average linkage
};

struct Partition {
  std::vector<std::int32_t> labels;  // of the local rows, numbered by size
  std::int64_t finer = 0;            // the centres that were merged; 0: K-means' own clusters
  std::optional<double> silhouette;  // by which it was chosen: of at most 10,000 cells; nothing without a choice
  std::optional<double> borders;     // border_density of K-means' clusters; nothing where that was not asked
  bool in_components = false;        // found there (partition_features, see outcome.hpp)
};

/// Clusters the rows dealt out over `ranks` into settings.clusters clusters; the same bits on any number of ranks.
/// best: K-means' clusters, where their border_density (of at most 10,000 cells) is below kCutsTypes. Elsewhere they
/// stay where their silhouette is at least 97.5 % of the best of the others, of which those count that unite less than
/// kUnitesTypes of the cells across gaps between K-means' clusters.
/// Finer centres are sought among at most 50,000 cells (drawn by seed) with 3 restarts, and only where there are at
/// least 10 cells for each; without any such, and for a single cluster, the answer is K-means'. `poll` and `progress`
/// as kmeans takes them (progress of K-means proper). A collective; throws as kmeans.
Partition partition_cells(const DealtRows& dealt, Clustering clustering, const KMeansSettings& settings,
                          Collectives& ranks, const std::function<void()>& poll = {},
                          KMeansProgress* progress = nullptr);

}  // namespace masksc
