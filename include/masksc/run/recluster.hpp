// Clusters of cells whose features an h5ad file already holds: a finished run, or any matrix of obsm.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/cluster/choose.hpp"
#include "masksc/core/json.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/run/pipeline.hpp"

namespace masksc {

enum class ClusterMethod { kmeans, leiden };

struct ReclusterOptions {
  std::string input;   // h5ad
  std::string output;  // h5ad: all of the input and the clusters
  bool overwrite = false;
  std::string labels;                      // column of obs to compare with; "" is none
  std::string features = features_name;    // of obsm
  std::string components = "auto";         // of obsm; "none"
  std::string column = "masksc_clusters";  // of obs
  ClusterMethod method = ClusterMethod::kmeans;
  ClusterSettings cluster;
  std::int64_t seed = 0;
  std::int64_t threads = 0;  // of a rank; 0: its cores
  bool quiet = false;
};

OptionTable describe_recluster(ReclusterOptions& options);

/// Clusters and writes --output: what the input holds, as it is stored there, obs[column], and in
/// uns['masksc_cluster'][column] the options, scores, ranks and version it was made with. Returns score_json,
/// cells and features on rank 0. A collective. Throws UserError on all ranks; an older --output stays as it was.
Json recluster(const ReclusterOptions& options, const RunPlace& place);

}  // namespace masksc
