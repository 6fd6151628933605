#include "masksc/cluster/leiden.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "community.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "neighbours.hpp"

namespace masksc {
namespace {

/// The commonest code among `near` (the lowest of equals).
std::int32_t vote(const std::vector<std::int32_t>& near, const std::vector<std::int32_t>& codes, std::size_t clusters) {
  std::vector<std::int32_t> votes(clusters);
  for (const std::int32_t row : near) ++votes[static_cast<std::size_t>(codes[static_cast<std::size_t>(row)])];
  return static_cast<std::int32_t>(std::max_element(votes.begin(), votes.end()) - votes.begin());
}

void broadcast(std::vector<std::int32_t>& values, std::size_t size, Collectives& ranks) {
  values.resize(size);
  ranks.broadcast(std::span(values));
}

}  // namespace

Labels leiden(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, const LeidenSettings& settings,
              Collectives& ranks) {
  const std::int64_t columns = check_dealt_rows(local_rows, rows, cells, ranks);
  check_finite(local_rows, rows, "Leiden", ranks);
  const auto chosen = sample_rows(cells, settings.most_cells, settings.seed);
  DenseMatrix graph_rows = gather_rows(local_rows, rows, columns, chosen, ranks);
  std::vector<std::int32_t> codes;
  on_root(ranks, [&] {
    const auto graph = detail::shared_neighbour_graph(detail::nearest_neighbours(graph_rows, settings.neighbours));
    codes = detail::leiden_communities(graph, settings.resolution, settings.seed);
  });
  broadcast(codes, chosen.size(), ranks);
  const std::int64_t clusters = codes.empty() ? 0 : *std::max_element(codes.begin(), codes.end()) + 1;

  std::vector<std::int32_t> local(static_cast<std::size_t>(rows.size()));
  if (std::cmp_equal(chosen.size(), cells)) {
    std::copy_n(codes.begin() + rows.begin, local.size(), local.begin());
  } else {
    graph_rows.rows = std::ssize(chosen);
    graph_rows.values.resize(static_cast<std::size_t>(graph_rows.rows * columns));
    ranks.broadcast(std::span(graph_rows.values));
    const auto near = detail::nearest_to(local_rows, graph_rows, settings.neighbours);
    for (std::size_t i = 0; i < local.size(); ++i) local[i] = vote(near[i], codes, static_cast<std::size_t>(clusters));
  }
  number_by_size(local, ranks);
  return name_clusters(std::move(local), clusters);
}

}  // namespace masksc
