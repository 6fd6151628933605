#include "nmf.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <vector>

#include "lanczos.hpp"
#include "masksc/core/random.hpp"

namespace masksc::detail {
namespace {

using Eigen::Index;

/// x factor [cells, components].
RowMatrix times(const CsrMatrix& x, const RowMatrix& factor) {
  RowMatrix product = RowMatrix::Zero(x.rows, factor.cols());
  for (std::int64_t cell = 0; cell < x.rows; ++cell) {
    const auto genes = x.row_indices(cell);
    for (std::size_t i = 0; i < genes.size(); ++i)
      product.row(cell) += static_cast<double>(x.row_values(cell)[i]) * factor.row(genes[i]);
  }
  return product;
}

/// x^T factor [genes, components].
RowMatrix transpose_times(const CsrMatrix& x, const RowMatrix& factor) {
  RowMatrix product = RowMatrix::Zero(x.columns, factor.cols());
  for (std::int64_t cell = 0; cell < x.rows; ++cell) {
    const auto genes = x.row_indices(cell);
    for (std::size_t i = 0; i < genes.size(); ++i)
      product.row(genes[i]) += static_cast<double>(x.row_values(cell)[i]) * factor.row(cell);
  }
  return product;
}

/// One sweep over the components of `factor` with the other factor fixed: `product` is x other, `gram` other^T other.
/// Returns how far the optimality conditions were from holding.
double sweep(const RowMatrix& product, Eigen::MatrixXd gram, double l1, double l2, RowMatrix& factor) {
  gram.diagonal().array() += l2;
  double violation = 0;
  for (Index t = 0; t < factor.cols(); ++t) {
    const Eigen::VectorXd gradient =
        factor * gram.col(t) - product.col(t) + Eigen::VectorXd::Constant(factor.rows(), l1);
    const double curvature = gram(t, t);
    for (Index row = 0; row < factor.rows(); ++row) {
      double& value = factor(row, t);
      violation += std::abs(value == 0 ? std::min(0.0, gradient[row]) : gradient[row]);
      if (curvature != 0) value = std::max(0.0, value - gradient[row] / curvature);
    }
  }
  return violation;
}

double standard_normal(RandomStream& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

/// Of a singular pair, the part (both positive or both negative) of the larger product of norms.
void put_part(const SingularVectors& found, Index c, NmfFactors& start) {
  const Eigen::VectorXd left = found.left.col(c);
  const Eigen::VectorXd right = found.right.col(c);
  const double positive = left.cwiseMax(0).norm() * right.cwiseMax(0).norm();
  const double negative = left.cwiseMin(0).norm() * right.cwiseMin(0).norm();
  const double sign = positive > negative ? 1 : -1;
  const double share = std::max(positive, negative);
  const Eigen::VectorXd left_part = (sign * left).cwiseMax(0);
  const Eigen::VectorXd right_part = (sign * right).cwiseMax(0);
  if (share == 0) return;
  const double scale = std::sqrt(found.values[c] * share);
  start.weights.col(c) = scale * left_part.normalized();
  start.dictionary.col(c) = scale * right_part.normalized();
}

}  // namespace

NmfFactors nmf_start(const CsrMatrix& x, std::int64_t components, std::uint64_t seed) {
  using Sparse = irlba::ParallelSparseMatrix<Eigen::VectorXd, Eigen::MatrixXd, std::vector<double>,
                                             std::vector<std::int32_t>, std::vector<std::int64_t>>;
  const Sparse sparse(x.rows, x.columns, std::vector<double>(x.values.begin(), x.values.end()), x.indices, x.row_start,
                      false, 1);
  const SingularVectors found = singular_vectors(sparse, components);
  NmfFactors start{RowMatrix::Zero(x.rows, components), RowMatrix::Zero(x.columns, components)};
  for (Index c = 0; c < components; ++c) put_part(found, c, start);

  const double mean = std::accumulate(x.values.begin(), x.values.end(), 0.0) / static_cast<double>(x.rows * x.columns);
  RandomStream random(seed, Purpose::initialisation, 0, 0);
  for (RowMatrix* factor : {&start.weights, &start.dictionary}) {
    for (double& value : factor->reshaped()) {
      if (value < 1e-6) value = std::abs(mean * standard_normal(random) / 100);
    }
  }
  return start;
}

std::int64_t improve(const CsrMatrix& x, NmfFactors& factors, const NmfSettings& settings,
                     const std::function<void()>& poll) {
  const double l1 = settings.alpha * settings.l1_share;
  const double l2 = settings.alpha * (1 - settings.l1_share);
  RowMatrix& weights = factors.weights;
  RowMatrix& dictionary = factors.dictionary;
  double first = 0;
  for (std::int64_t iteration = 1; iteration <= settings.most_iterations; ++iteration) {
    poll();
    double violation = sweep(times(x, dictionary), dictionary.transpose() * dictionary, l1, l2, weights);
    violation += sweep(transpose_times(x, weights), weights.transpose() * weights, l1, l2, dictionary);
    if (iteration == 1) first = violation;
    if (first == 0 || violation / first <= settings.tolerance) return iteration;
  }
  return settings.most_iterations;
}

RowMatrix transferred_weights(const CsrMatrix& x, const RowMatrix& dictionary, const std::function<void()>& poll) {
  const RowMatrix product = times(x, dictionary);
  const Eigen::MatrixXd gram = dictionary.transpose() * dictionary;
  RowMatrix weights = RowMatrix::Zero(x.rows, dictionary.cols());
  const double first = sweep(product, gram, 0, 0, weights);
  for (int iteration = 1; iteration < 1000; ++iteration) {
    poll();
    if (sweep(product, gram, 0, 0, weights) <= 1e-4 * first) break;
  }
  return weights;
}

}  // namespace masksc::detail
