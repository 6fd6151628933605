#include "masksc/cluster/leiden.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "community.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "shared_neighbours.hpp"

namespace masksc {
namespace {

/// The commonest code among the neighbours of each query (the lowest of equals).
std::vector<std::int32_t> vote(const NeighbourTable& near, std::int64_t queries, const std::vector<std::int32_t>& codes,
                               std::int64_t clusters) {
  std::vector<std::int32_t> winners;
  std::vector<std::int32_t> votes(static_cast<std::size_t>(clusters));
  for (std::int64_t q = 0; q < queries; ++q) {
    std::fill(votes.begin(), votes.end(), 0);
    for (const std::int32_t row : near.of(q)) ++votes[static_cast<std::size_t>(codes[static_cast<std::size_t>(row)])];
    winners.push_back(static_cast<std::int32_t>(std::max_element(votes.begin(), votes.end()) - votes.begin()));
  }
  return winners;
}

/// The community of each row of `graph_rows` (the same on every rank), which each rank's share of the neighbours and
/// rank 0's Leiden find. A collective.
std::vector<std::int32_t> communities(const DenseMatrix& graph_rows, const LeidenSettings& settings,
                                      Collectives& ranks) {
  const RowRange mine = rows_of_rank(graph_rows.rows, ranks.rank(), ranks.size());
  NeighbourTable table =
      nearest_rows(part_of(graph_rows, mine), graph_rows, settings.neighbours, mine.begin, settings.threads);
  table.rows = ranks.gather_varied(std::span<const std::int32_t>(table.rows));
  return of_root(ranks, [&] {
    const auto graph = detail::shared_neighbour_graph(table, graph_rows.rows);
    return detail::leiden_communities(graph, settings.resolution, settings.seed);
  });
}

}  // namespace

Labels leiden(const DealtRows& dealt, const LeidenSettings& settings, Collectives& ranks) {
  const std::int64_t columns = check_dealt_rows(dealt, ranks);
  check_finite(dealt, "Leiden", ranks);
  const DealtSample sample = take_rows(dealt, sample_rows(dealt.cells, settings.most_cells, settings.seed));
  DenseMatrix graph_rows(0, columns);
  graph_rows.rows = sample.cells();
  graph_rows.values = ranks.all_gather_varied(std::span<const float>(sample.local.values));
  const auto codes = communities(graph_rows, settings, ranks);
  const std::int64_t clusters = codes.empty() ? 0 : *std::max_element(codes.begin(), codes.end()) + 1;

  std::vector<std::int32_t> local;
  if (graph_rows.rows == dealt.cells) {
    local.assign(codes.begin() + dealt.rows.begin, codes.begin() + dealt.rows.end);
  } else {
    local = vote(nearest_rows(dealt.local, graph_rows, settings.neighbours, -1, settings.threads), dealt.rows.size(),
                 codes, clusters);
  }
  number_by_size(local, ranks);
  // A community of the sample may have no cell left after the vote: such come last, and have no name.
  const auto last = std::max_element(local.begin(), local.end());
  const std::int32_t named = ranks.all_reduce(last == local.end() ? 0 : *last + 1, ReduceOp::max);
  return name_clusters(std::move(local), named);
}

}  // namespace masksc
