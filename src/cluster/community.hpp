// igraph's Leiden behind one function: the only file that knows igraph.
#pragma once

#include <cstdint>
#include <vector>

#include "shared_neighbours.hpp"

namespace masksc::detail {

/// The community of each node (modularity with `resolution`, iterated until nothing changes), numbered from 0.
/// The same for equal arguments. Throws EnvironmentError when igraph fails, UserError in a build without it.
std::vector<std::int32_t> leiden_communities(const WeightedGraph& graph, double resolution, std::uint64_t seed);

}  // namespace masksc::detail
