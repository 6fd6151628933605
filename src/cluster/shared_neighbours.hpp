// The graph of shared nearest neighbours, in which Leiden finds communities.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/cluster/neighbours.hpp"

namespace masksc::detail {

struct WeightedGraph {
  std::int64_t nodes = 0;
  std::vector<std::int32_t> from, to;  // from > to; each pair once
  std::vector<double> weights;
};

/// Two rows are joined when they share a neighbour (a row is its own): weight = shared / united (Jaccard).
WeightedGraph shared_neighbour_graph(const NeighbourTable& neighbours, std::int64_t nodes);

}  // namespace masksc::detail
