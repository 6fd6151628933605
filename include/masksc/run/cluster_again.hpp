// Clusters of features that are there already, in one go: no checkpoints, no training.
#pragma once

#include <cstdint>

#include "masksc/run/stages.hpp"

namespace masksc {

/// K-means with the number of clusters that `settings` and `labels` (of all cells; may be empty) give, numbered by
/// size, and scores, as the last stage of a run. A collective. Throws as decide_clusters and kmeans.
ClusterOutcome cluster_features(const ClusterSettings& settings, const DenseMatrix& local, RowRange rows,
                                std::int64_t cells, const Labels& labels, std::uint64_t seed, Collectives& ranks);

/// The same with the communities that Leiden finds at settings.resolution, instead of K-means.
ClusterOutcome leiden_clusters(const ClusterSettings& settings, const DenseMatrix& local, RowRange rows,
                               std::int64_t cells, const Labels& labels, std::uint64_t seed, Collectives& ranks);

/// ari, nmi, silhouette (null where there is none), clusters, clusters_by.
Json score_json(const ClusterOutcome& outcome);

}  // namespace masksc
