#include "neighbours.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>

#include "knncolle_kmknn/knncolle_kmknn.hpp"

namespace masksc::detail {
namespace {

using Index = std::unique_ptr<knncolle::Prebuilt<std::int32_t, float, float>>;

Index build_index(const DenseMatrix& rows) {
  const auto distance = std::make_shared<knncolle::EuclideanDistance<float, float>>();
  const knncolle_kmknn::KmknnBuilder<std::int32_t, float, float> builder(distance);
  return builder.build_unique(knncolle::SimpleMatrix<std::int32_t, float>(
      static_cast<std::size_t>(rows.columns), static_cast<std::int32_t>(rows.rows), rows.values.data()));
}

}  // namespace

std::vector<std::vector<std::int32_t>> nearest_neighbours(const DenseMatrix& rows, std::int64_t count) {
  return knncolle::find_nearest_neighbors_index_only(*build_index(rows), static_cast<int>(count));
}

std::vector<std::vector<std::int32_t>> nearest_to(const DenseMatrix& queries, const DenseMatrix& rows,
                                                  std::int64_t count) {
  const auto index = build_index(rows);
  const auto searcher = index->initialize();
  std::vector<std::vector<std::int32_t>> found(static_cast<std::size_t>(queries.rows));
  for (std::size_t q = 0; q < found.size(); ++q) {
    searcher->search(queries.row(static_cast<std::int64_t>(q)).data(),
                     static_cast<std::int32_t>(std::min(count, rows.rows)), &found[q], nullptr);
  }
  return found;
}

WeightedGraph shared_neighbour_graph(const std::vector<std::vector<std::int32_t>>& neighbours) {
  const std::size_t nodes = neighbours.size();
  std::vector<std::vector<std::int32_t>> hosts(nodes);  // whose neighbour (or self) a row is
  for (std::size_t i = 0; i < nodes; ++i) {
    hosts[i].push_back(static_cast<std::int32_t>(i));
    for (const std::int32_t near : neighbours[i])
      hosts[static_cast<std::size_t>(near)].push_back(static_cast<std::int32_t>(i));
  }
  WeightedGraph graph;
  graph.nodes = static_cast<std::int64_t>(nodes);
  std::vector<std::int32_t> shared(nodes);
  std::vector<std::int32_t> met;
  for (std::size_t i = 0; i < nodes; ++i) {
    const auto visit = [&](std::size_t near) {
      for (const std::int32_t host : hosts[near]) {
        if (static_cast<std::size_t>(host) >= i) continue;
        if (shared[static_cast<std::size_t>(host)]++ == 0) met.push_back(host);
      }
    };
    visit(i);
    for (const std::int32_t near : neighbours[i]) visit(static_cast<std::size_t>(near));
    std::sort(met.begin(), met.end());
    for (const std::int32_t host : met) {
      auto& both = shared[static_cast<std::size_t>(host)];
      const std::size_t united =
          neighbours[i].size() + neighbours[static_cast<std::size_t>(host)].size() + 2 - static_cast<std::size_t>(both);
      graph.from.push_back(static_cast<std::int32_t>(i));
      graph.to.push_back(host);
      graph.weights.push_back(both / static_cast<double>(united));
      both = 0;
    }
    met.clear();
  }
  return graph;
}

}  // namespace masksc::detail
