// How well two partitions of the same cells agree, whatever their clusters are called.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc {

/// Labels and clusters of the cells that have a label, in the order of the cells.
struct LabelledCells {
  std::vector<std::int32_t> labels;
  std::vector<std::int32_t> clusters;
};
/// `clusters`: one of each cell that `labels` has. Throws InvariantError when the sizes differ.
LabelledCells labelled_cells(const Labels& labels, std::span<const std::int32_t> clusters);

/// Categories that occur.
std::int64_t count_categories(const Labels& labels);

/// Adjusted Rand index (Hubert and Arabie 1985) of two labellings of the same cells, as scikit-learn's
/// adjusted_rand_score: 1 for equal partitions, about 0 for unrelated ones, at least -0.5.
/// Any integers are labels; a caller leaves out cells without one. Throws InvariantError when the sizes differ.
double adjusted_rand_index(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

/// Mutual information divided by the arithmetic mean of the two entropies, as scikit-learn's
/// normalized_mutual_info_score: in [0, 1]; 1 when both have a single cluster.
/// Throws InvariantError when the sizes differ.
double normalized_mutual_information(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

/// Clustering accuracy: the largest share of cells that a one-to-one matching of the labels of `a` with those of `b`
/// makes equal (the Hungarian method, Kuhn 1955; in time cubic in the number of labels). In (0, 1]; 0 without cells.
/// Throws InvariantError when the sizes differ.
double clustering_accuracy(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

}  // namespace masksc
