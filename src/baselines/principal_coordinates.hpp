// Principal coordinates of dissimilarities (Gower 1966; classical scaling) (a header of this room).
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::detail {

struct PrincipalCoordinates {
  std::vector<double> eigenvalues;  // positive ones among the `count` of largest size, descending
  DenseMatrix coordinates;          // [items, as many]: eigenvectors times the root of their eigenvalue
};

/// `squared`: dissimilarities [items, items] squared, symmetric, zero diagonal; overwritten by the centred matrix
/// -1/2 J D^2 J. The sign of a coordinate is such that its largest entry is positive.
PrincipalCoordinates principal_coordinates(Eigen::MatrixXd& squared, std::int64_t count);

}  // namespace masksc::detail
