// Clusters of cells' features, and how good they are: what a run and masksc_cluster end with.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "masksc/cluster/choose.hpp"
#include "masksc/cluster/kmeans.hpp"
#include "masksc/cluster/partition.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/metrics/silhouette.hpp"

namespace masksc {

/// What clusters are made of, and what they are judged by too.
struct CellFeatures {
  const DenseMatrix& embedding;   // [local cells, D]
  const DenseMatrix& components;  // [local cells, any] of expression; no columns where there are none
  RowRange rows;                  // of this rank
  std::int64_t cells;             // over all ranks
  const Labels& labels;           // of all cells; may be empty
  /// The embedding is what a network predicts of the first of these very components, as many as it has columns, which
  /// alone guided its training: clusters are then counted in these, and looked for in them, too.
  bool predicts_components = false;

  /// One of the two matrices, or what is made of their rows.
  [[nodiscard]] DealtRows dealt(const DenseMatrix& space) const { return {space, rows, cells}; }
};

/// Clusters, numbered by size, and scores.
struct ClusterOutcome {
  std::int64_t clusters = 0;
  std::string clusters_by;          // "option", "labels" or "auto"
  bool in_components = false;       // found there, and not in the embedding (partition_features)
  std::int64_t merged_from = 0;     // finer clusters; 0: those of K-means
  std::vector<std::int32_t> local;  // cluster of this rank's cells
  std::vector<std::int32_t> all;    // of all cells, on rank 0
  std::optional<double> ari;
  std::optional<double> nmi;
  std::optional<SilhouetteScore> silhouette;  // of a sample where there are very many cells
  std::optional<double> silhouette_pca;       // of the same clusters in the components, of the same cells
};

/// The partition into so many `clusters` that partition_cells finds, as `settings` say, in the embedding or, where that
/// predicts components and those of at most 10,000 cells have a higher silhouette in them, in the components. A
/// collective. Throws as kmeans.
Partition partition_features(const CellFeatures& features, std::int64_t clusters, const ClusterSettings& settings,
                             std::uint64_t seed, int threads, Collectives& ranks,
                             const std::function<void()>& poll = {}, KMeansProgress* progress = nullptr);

/// decide_clusters, whose number by auto is that of the embedding or, where that predicts components, of these. A
/// collective.
ClusterCount count_clusters(const ClusterSettings& settings, const CellFeatures& features,
                            std::int64_t label_categories, std::uint64_t seed, Collectives& ranks,
                            const std::function<void()>& poll = {});

/// Clusters as settings.clustering says, with the number that `settings` and the labels give, and scores. A collective.
/// Throws as decide_clusters and kmeans.
ClusterOutcome cluster_features(const ClusterSettings& settings, const CellFeatures& features, std::uint64_t seed,
                                int threads, Collectives& ranks);

/// The same once the number is decided: the last stage of a run too. `poll` and `progress` as kmeans takes them.
ClusterOutcome cluster_into(const ClusterCount& count, const ClusterSettings& settings, const CellFeatures& features,
                            std::uint64_t seed, int threads, Collectives& ranks, const std::function<void()>& poll = {},
                            KMeansProgress* progress = nullptr);

/// cluster_features with the communities that Leiden finds at settings.resolution, instead of K-means.
ClusterOutcome leiden_clusters(const ClusterSettings& settings, const CellFeatures& features, std::uint64_t seed,
                               int threads, Collectives& ranks);

/// ari, nmi, silhouette (null where there is none) with its standard error and number of cells, silhouette_pca (in the
/// components; null without), clusters, clusters_by, clusters_in (features or components), merged_from (how many finer
/// clusters were merged; null for those of K-means).
Json score_json(const ClusterOutcome& outcome);

/// What is to be said beside the silhouette of such scores: how sure it is, where it is that of a sample, and what it
/// is in the data: "± 0.002, of 25000 cells; 0.121 in principal components". "" where neither is known.
std::string silhouette_note(const Json& scores);

}  // namespace masksc
