#include "lanczos.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "masksc/core/random.hpp"

namespace masksc::detail {
namespace {

using AnyMatrix = irlba::Matrix<Eigen::VectorXd, Eigen::MatrixXd>;

SingularVectors exact_singular_vectors(const AnyMatrix& matrix, Eigen::Index count) {
  Eigen::MatrixXd buffer;
  const auto dense = matrix.new_realize_workspace();
  const Eigen::BDCSVD<Eigen::MatrixXd, Eigen::ComputeThinU | Eigen::ComputeThinV> svd(dense->realize(buffer));
  return {svd.matrixU().leftCols(count), svd.singularValues().head(count), svd.matrixV().leftCols(count)};
}

}  // namespace

SingularVectors singular_vectors(const AnyMatrix& matrix, Eigen::Index count) {
  irlba::Options<Eigen::VectorXd> options;
  options.extra_work = 30;  // vectors more than asked for: 10 to 30 % faster than with 7 on 4000 cells
  options.convergence_tolerance = 1e-6;
  if (std::min(matrix.rows(), matrix.cols()) < 2 * (count + options.extra_work)) {
    return exact_singular_vectors(matrix, count);
  }
  RandomStream random(0, Purpose::initialisation, 0, 0);
  Eigen::VectorXd start(matrix.cols());
  for (double& value : start) value = 2 * random.uniform() - 1;
  options.initial = std::move(start);
  try {
    auto found = irlba::compute(matrix, count, options);
    if (found.converged && found.D.allFinite()) return {std::move(found.U), std::move(found.D), std::move(found.V)};
  } catch (const std::runtime_error&) {  // a vector fell into the null space
  }
  return exact_singular_vectors(matrix, count);
}

SingularVectors singular_vectors(const Eigen::MatrixXd& matrix, Eigen::Index count) {
  return singular_vectors(irlba::SimpleMatrix<Eigen::VectorXd, Eigen::MatrixXd, const Eigen::MatrixXd*>(&matrix),
                          count);
}

Eigen::MatrixXd eigen_of(const DenseMatrix& rows) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(rows.values.data(), rows.rows, rows.columns).cast<double>();
}

}  // namespace masksc::detail
