// Average-linkage hierarchical clustering (UPGMA): the order of its leaves, or its clusters, in O(n^2) time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace masksc {

/// Distances between n items, each pair once: (0,1), (0,2), ..., (1,2), ...
struct PairDistances {
  std::int64_t items = 0;
  std::vector<double> values;  // items * (items - 1) / 2

  explicit PairDistances(std::int64_t n) : items(n), values(static_cast<std::size_t>(n * (n - 1) / 2)) {}
  [[nodiscard]] std::size_t at(std::int64_t a, std::int64_t b) const {
    if (a > b) std::swap(a, b);
    return static_cast<std::size_t>(a * (2 * items - a - 1) / 2 + (b - a - 1));
  }
};

/// Leaves of the dendrogram from left to right, as scipy's leaves_list(linkage(distances, "average")): the nearest
/// neighbour chain (Murtagh 1983); of two merged clusters the one formed earlier stands left.
std::vector<std::int64_t> average_linkage_leaves(PairDistances distances);

/// The cluster of each item when `clusters` (1 to items) are left, as scipy's fcluster(linkage(distances, "average"),
/// clusters, "maxclust") where no two merges are equally far; numbered in order of the first item.
std::vector<std::int32_t> average_linkage_clusters(PairDistances distances, std::int64_t clusters);

}  // namespace masksc
