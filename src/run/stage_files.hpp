// What guides stage 2, and what embedding and clustering have done so far, as files in checkpoints/ that a stopped run
// goes on from: on any number of ranks, each row and each restart once.
#pragma once

#include <filesystem>

#include "masksc/cluster/kmeans.hpp"
#include "masksc/core/json.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/model/settings.hpp"

namespace masksc {

/// Rows of this rank that are in `progress`, written by all ranks together. `identity` names weights and data. A
/// collective. Throws EnvironmentError on all ranks.
void save_embedding(const std::filesystem::path& path, const Json& identity, const EmbeddingProgress& progress,
                    RowRange rows, Collectives& ranks);

/// Fills in the rows of this rank that the file has; none if it is not there, damaged or of another identity. A
/// collective.
void load_embedding(const std::filesystem::path& path, const Json& identity, EmbeddingProgress& progress, RowRange rows,
                    Collectives& ranks);

/// Writes what guides stage 2. Throws EnvironmentError.
void save_guidance(const std::filesystem::path& path, const Json& identity, GuidanceTarget target);
/// automatic, which decides nothing, if the file is not there, damaged or of another identity. A collective.
GuidanceTarget load_guidance(const std::filesystem::path& path, const Json& identity, Collectives& ranks);

/// What clustering has found out: how many clusters and by what, and K-means' restarts.
struct ClusterProgress {
  std::int64_t clusters = 0;  // 0: not decided yet
  std::string clusters_by;
  KMeansProgress kmeans;
};

/// Written by rank 0. A collective. Throws EnvironmentError on all ranks.
void save_clusters(const std::filesystem::path& path, const Json& identity, const ClusterProgress& progress,
                   Collectives& ranks);
/// Nothing done yet if the file is not there, damaged or of another identity. A collective.
ClusterProgress load_clusters(const std::filesystem::path& path, const Json& identity, Collectives& ranks);

}  // namespace masksc
