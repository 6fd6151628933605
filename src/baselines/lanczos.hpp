// The largest singular values of a matrix and their vectors, by irlba (Baglama and Reichel 2005) (a header of this
// room).
#pragma once

#include <Eigen/Dense>
#include <irlba/irlba.hpp>

#include "masksc/core/types.hpp"

namespace masksc::detail {

struct SingularVectors {
  Eigen::MatrixXd left;    // [rows, count]
  Eigen::VectorXd values;  // [count], descending
  Eigen::MatrixXd right;   // [columns, count]
};

/// The first `count` (at most the smaller side) of a matrix of irlba's kind. The start is the same for all seeds: what
/// is found is a function of the matrix alone. A small matrix is decomposed exactly, and so is one that Lanczos can't
/// do (of a rank below `count`).
SingularVectors singular_vectors(const irlba::Matrix<Eigen::VectorXd, Eigen::MatrixXd>& matrix, Eigen::Index count);

/// The same of a plain matrix.
SingularVectors singular_vectors(const Eigen::MatrixXd& matrix, Eigen::Index count);

/// The rows as they are, in double.
Eigen::MatrixXd eigen_of(const DenseMatrix& rows);

}  // namespace masksc::detail
