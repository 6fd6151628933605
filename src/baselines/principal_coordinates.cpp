#include "principal_coordinates.hpp"

#include <algorithm>
#include <cmath>

#include "lanczos.hpp"

namespace masksc::detail {
namespace {

void centre(Eigen::MatrixXd& squared) {
  squared *= -0.5;
  const Eigen::VectorXd means = squared.colwise().mean();
  const double mean = means.mean();
  squared.colwise() -= means;
  squared.rowwise() -= means.transpose();
  squared.array() += mean;
}

}  // namespace

PrincipalCoordinates principal_coordinates(Eigen::MatrixXd& squared, std::int64_t count) {
  centre(squared);
  const Eigen::Index items = squared.rows();
  const SingularVectors found = singular_vectors(squared, std::min<Eigen::Index>(count, items));
  // Singular vectors of a symmetric matrix are eigenvectors; the two sides differ in sign where the eigenvalue is
  // negative. What is zero but for rounding is no coordinate.
  std::vector<Eigen::Index> kept;
  for (Eigen::Index c = 0; c < found.values.size(); ++c) {
    if (found.values[c] > 1e-10 * found.values[0] && found.left.col(c).dot(found.right.col(c)) > 0) kept.push_back(c);
  }
  PrincipalCoordinates result;
  result.coordinates = DenseMatrix(items, std::ssize(kept));
  for (std::size_t c = 0; c < kept.size(); ++c) {
    result.eigenvalues.push_back(found.values[kept[c]]);
    const auto vector = found.left.col(kept[c]);
    Eigen::Index largest = 0;
    vector.cwiseAbs().maxCoeff(&largest);
    const double scale = std::copysign(std::sqrt(found.values[kept[c]]), vector[largest]);
    for (Eigen::Index item = 0; item < items; ++item)
      result.coordinates.row(item)[c] = static_cast<float>(vector[item] * scale);
  }
  return result;
}

}  // namespace masksc::detail
