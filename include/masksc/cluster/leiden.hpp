// Leiden (Traag, Waltman and van Eck 2019) on the graph of shared nearest neighbours: a partition of the cells that
// needs no number of clusters.
#pragma once

#include <cstdint>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

struct LeidenSettings {
  double resolution = 1.0;           // of the modularity: more clusters above, fewer below
  std::int64_t neighbours = 15;      // nearest cells of a cell that make the graph
  std::int64_t most_cells = 50'000;  // in the graph; of more, a sample, and the others follow their nearest of these
  std::uint64_t seed = 0;
  int threads = 1;  // of this rank
};

/// Whether this build has Leiden (igraph).
bool has_leiden();

/// The clusters of the local rows, numbered by size over all ranks ("0" is the largest, as in scanpy); the names are
/// the same on every rank. Neighbours by Euclidean distance (exact); the weight of an edge is the share of common
/// neighbours (Jaccard). The graph is built and clustered on rank 0 (single-threaded, by `seed` only), so that any
/// number of ranks gives the same partition. A collective.
/// Throws UserError in a build without igraph, InvariantError for values that aren't finite, EnvironmentError when
/// igraph fails.
Labels leiden(const DealtRows& dealt, const LeidenSettings& settings, Collectives& ranks);

}  // namespace masksc
