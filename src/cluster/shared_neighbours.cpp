#include "shared_neighbours.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace masksc::detail {

WeightedGraph shared_neighbour_graph(const NeighbourTable& neighbours, std::int64_t nodes) {
  std::vector<std::vector<std::int32_t>> hosts(static_cast<std::size_t>(nodes));  // whose neighbour, or self, a row is
  for (std::int32_t i = 0; i < nodes; ++i) {
    hosts[static_cast<std::size_t>(i)].push_back(i);
    for (const std::int32_t near : neighbours.of(i)) hosts[static_cast<std::size_t>(near)].push_back(i);
  }
  WeightedGraph graph;
  graph.nodes = nodes;
  std::vector<std::int32_t> shared(static_cast<std::size_t>(nodes));
  std::vector<std::int32_t> met;
  for (std::int32_t i = 0; i < nodes; ++i) {
    const auto visit = [&](std::int32_t near) {
      for (const std::int32_t host : hosts[static_cast<std::size_t>(near)]) {
        if (host < i && shared[static_cast<std::size_t>(host)]++ == 0) met.push_back(host);
      }
    };
    visit(i);
    for (const std::int32_t near : neighbours.of(i)) visit(near);
    std::sort(met.begin(), met.end());
    for (const std::int32_t host : met) {
      const std::int32_t both = std::exchange(shared[static_cast<std::size_t>(host)], 0);
      graph.from.push_back(i);
      graph.to.push_back(host);
      graph.weights.push_back(both / static_cast<double>(2 * (neighbours.count + 1) - both));
    }
    met.clear();
  }
  return graph;
}

}  // namespace masksc::detail
