// Ward's hierarchical clustering of rows (Ward 1963; "ward.D2" of R's hclust) (a header of this room).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::detail {

struct WardMerge {
  std::int64_t one = 0, other = 0;  // a row of each of the two clusters
  double height = 0;  // sqrt(2 a b / (a + b)) |difference of the means| for sizes a and b, as in scipy and R
};

/// The rows - 1 merges, lowest first. Nearest-neighbour chains (Murtagh 1983) on means and sizes: O(rows^2 columns)
/// time, O(rows columns) memory. `poll` is called once a merge.
std::vector<WardMerge> ward_merges(const DenseMatrix& rows, const std::function<void()>& poll);

/// Labels of the rows when the tree is cut into `clusters`, numbered by first row.
std::vector<std::int32_t> cut_tree(const std::vector<WardMerge>& merges, std::int64_t clusters);

/// Index of Calinski and Harabasz (1974) of the tree cut into 1, 2, ..., `most` clusters; 0 for one cluster. A merge
/// adds half its squared height to the sum of squares within clusters. `most` is at most the number of rows - 1.
std::vector<double> calinski_harabasz(const std::vector<WardMerge>& merges, std::int64_t most);

}  // namespace masksc::detail
