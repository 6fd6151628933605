// Marker genes: those that tell a cluster from the others.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc {

struct Marker {
  std::int64_t gene = 0;   // column of the expression
  double auc = 0;          // chance that a cell of the cluster has more of it than one of another, mean over the others
  double log2_change = 0;  // mean log-normalised expression minus that of the others, to base 2, mean over the others
  double inside = 0;       // share of the cluster's cells that have it
  double outside = 0;      // of all other cells
};

struct ClusterMarkers {
  std::vector<std::vector<Marker>> of_cluster;      // the best first, at most as many as asked for
  std::vector<std::int64_t> cells;                  // of each cluster
  std::vector<std::vector<double>> mean, detected;  // [clusters][genes]
};

/// `expression` [cells, genes] log-normalised; `clusters` [cells] in 0 .. k-1. Genes are ranked by
/// the mean AUC of the comparisons with each other cluster (scran, Lun et al. 2016; by libscran); those at or below .5
/// are left out. Clusters of fewer than kFewestCells (cluster/borders.hpp) have no markers and are not compared with,
/// as long as there are two others: a few odd cells would count as much as a type. With one cluster there are none.
ClusterMarkers find_markers(const CsrMatrix& expression, const std::vector<std::int32_t>& clusters, std::int64_t k,
                            std::size_t most, int threads);

/// Log-normalised `counts` of all genes: each cell scaled to the median total, then log(1 + x). Cells whose counts sum
/// to nothing stay 0.
CsrMatrix log_expression(CsrMatrix counts);

}  // namespace masksc
