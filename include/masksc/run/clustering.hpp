// Clusters of features, and how good they are.
#pragma once

#include <cstdint>
#include <functional>

#include "masksc/run/stages.hpp"

namespace masksc {

/// Of this rank's cells: what clusters are made of, and what they are judged by too.
struct CellFeatures {
  const DenseMatrix& embedding;   // [local cells, D]
  const DenseMatrix& components;  // [local cells, any] of expression; no columns where there are none
};

/// Clusters as settings.clustering says, with the number that `settings` and `labels` (of all cells; may be empty)
/// give, numbered by size, and scores. A collective. Throws as decide_clusters and kmeans.
ClusterOutcome cluster_features(const ClusterSettings& settings, CellFeatures local, RowRange rows, std::int64_t cells,
                                const Labels& labels, std::uint64_t seed, Collectives& ranks);

/// The same once the number is decided: the last stage of a run too. `poll` and `progress` as kmeans takes them.
ClusterOutcome cluster_into(const ClusterCount& count, const ClusterSettings& settings, CellFeatures local,
                            RowRange rows, std::int64_t cells, const Labels& labels, std::uint64_t seed,
                            Collectives& ranks, const std::function<void()>& poll = {},
                            KMeansProgress* progress = nullptr);

/// cluster_features with the communities that Leiden finds at settings.resolution, instead of K-means.
ClusterOutcome leiden_clusters(const ClusterSettings& settings, CellFeatures local, RowRange rows, std::int64_t cells,
                               const Labels& labels, std::uint64_t seed, Collectives& ranks);

/// ari, nmi, silhouette (null where there is none) with its standard error and number of cells, silhouette_pca (in the
/// components; null without), clusters, clusters_by, merged_from (how many finer clusters were merged; null for those
/// of K-means).
Json score_json(const ClusterOutcome& outcome);

}  // namespace masksc
