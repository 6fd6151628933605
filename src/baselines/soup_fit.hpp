// SOUP (Zhu, Lei, Klei, Devlin and Roeder 2019): pure cells by their similarities, memberships from these (a header of
// this room).
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::detail {

/// What doesn't depend on the number of clusters.
struct SoupCells {
  std::vector<double> purity;      // [cells], in [0, 1]
  std::vector<std::int64_t> pure;  // the half of the cells of the highest purity, ascending
  Eigen::MatrixXd left;            // [cells, most clusters]: left singular vectors of the rows, uncentred
};

/// `rows`: log-normalised expression [cells, genes] (or its coordinates in any orthonormal basis). Similarity of two
/// cells: inner product after each gene is centred. Purity of a cell: how close its most similar cells (10 % below
/// 1000 cells, 5 % below 2000, else 3 %, at least 5) are to their own largest similarities, on average.
SoupCells soup_cells(const DenseMatrix& rows, std::int64_t most_clusters, const std::function<void()>& poll);

struct SoupFit {
  Eigen::MatrixXd theta;       // [cells, clusters], least squares, before it is made a membership
  Eigen::MatrixXd membership;  // [cells, clusters]: theta without negatives, rows sum to 1 (or are 0)
};

/// The pure cells are clustered by K-means; theta = left Q with the Q that gives pure cells 1 for their own cluster.
SoupFit soup_fit(const DenseMatrix& rows, const SoupCells& cells, std::int64_t clusters, std::uint64_t seed,
                 const std::function<void()>& poll);

/// The number of clusters in 2 .. 10 (fewer when there are fewer rows or columns) of the least error in ten-fold cross-
/// validation: rows left out are predicted by least-squares memberships of the centres of the others.
std::int64_t soup_clusters(const DenseMatrix& rows, std::uint64_t seed, const std::function<void()>& poll);

}  // namespace masksc::detail
