// Nearest neighbours by Euclidean distance, exact: every row is compared with every query.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc {

/// [rows, count] numbers of rows, the nearest first (the lower number of equals).
struct NeighbourTable {
  std::int64_t count = 0;
  std::vector<std::int32_t> rows;

  [[nodiscard]] std::span<const std::int32_t> of(std::int64_t query) const {
    return std::span(rows).subspan(static_cast<std::size_t>(query * count), static_cast<std::size_t>(count));
  }
};

/// Euclidean distance of two rows of one length, in double.
double distance_between(std::span<const float> a, std::span<const float> b);

/// The `count` nearest of `rows` to each query; of all when there are fewer. With first_self >= 0, query q is itself
/// row first_self + q and isn't its own neighbour; of more identical rows than `count` + 1 each then has those that
/// follow it, in a circle: the lowest numbers would be neighbours of all, and graphs of neighbours have as many edges
/// as there are pairs. The same bits for any grouping of the queries and any `threads`.
NeighbourTable nearest_rows(const DenseMatrix& queries, const DenseMatrix& rows, std::int64_t count,
                            std::int64_t first_self = -1, int threads = 1);

}  // namespace masksc
