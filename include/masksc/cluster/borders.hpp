// Whether clusters have gaps between them, or cut what belongs together.
//
// Half-way between the centres of two types there are few cells; half-way between two parts of one type there are as
// many as at their centres. Nothing of clusters' sizes or spreads has a part in it, as it has in a silhouette.
#pragma once

#include <cstdint>
#include <span>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Clusters of fewer cells tell nothing of types: they are odd cells.
inline constexpr std::int64_t kFewestCells = 10;

/// How full the borders between clusters are: 0, no cells there, to 1, no fewer than around the centres.
/// Of a cluster and a neighbour (its two nearest by their `centres` [clusters, columns], equal on every rank), cells
/// are projected on the line between the centres, 0 at the one and 1 at the other. The share of each cluster's cells
/// within 0.15 of a point, of both together, is the density there; the border's is that at 1/2 as a share of the lower
/// one of 0 and 1, at most 1. A cluster counts with the fuller of its two borders, and as often as it has cells;
/// clusters of fewer than 10 cells are left out. 0 where fewer than two clusters are left. `labels`: of the local rows.
/// Counts are integers: the same on any number of ranks. A collective.
double border_density(const DenseMatrix& local_rows, std::span<const std::int32_t> labels, const DenseMatrix& centres,
                      Collectives& ranks);

/// Of other clusters of the same cells, `merged` (of the local rows, no more clusters than centres): the share of the
/// cells that these unite with others across a gap. A cluster belongs to the merged one that has most of its cells.
/// Those of one merged cluster hang together where borders between them (of any two, as above) are at least half full;
/// cells outside the largest part that hangs together are united with it across a gap. 0 where nothing is, or no
/// cluster has 10 cells. A collective.
double share_across_gaps(const DenseMatrix& local_rows, std::span<const std::int32_t> labels,
                         const DenseMatrix& centres, std::span<const std::int32_t> merged, Collectives& ranks);

}  // namespace masksc
