// Nearest neighbours (Euclidean, exact) and the graph of shared ones.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::detail {

/// [rows][count] the nearest other rows of each row, the nearest first. Fewer when there are fewer rows.
std::vector<std::vector<std::int32_t>> nearest_neighbours(const DenseMatrix& rows, std::int64_t count);

/// [queries][count] the nearest of `rows` to each query, the nearest first.
std::vector<std::vector<std::int32_t>> nearest_to(const DenseMatrix& queries, const DenseMatrix& rows,
                                                  std::int64_t count);

struct WeightedGraph {
  std::int64_t nodes = 0;
  std::vector<std::int32_t> from, to;  // from > to; each pair once
  std::vector<double> weights;
};

/// Two rows are joined when they share a neighbour (a row is its own): weight = shared / united (Jaccard).
WeightedGraph shared_neighbour_graph(const std::vector<std::vector<std::int32_t>>& neighbours);

}  // namespace masksc::detail
