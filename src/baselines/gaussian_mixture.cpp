#include "gaussian_mixture.hpp"

#include <Eigen/Dense>
#include <cmath>
#include <limits>
#include <numbers>

#include "lanczos.hpp"
#include "masksc/core/error.hpp"

namespace masksc::detail {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double added_variance = 1e-6;
constexpr double tolerance = 1e-3;
constexpr std::int64_t most_iterations = 100;

struct Mixture {
  VectorXd weights;               // [components], sum 1
  MatrixXd means;                 // [columns, components]
  std::vector<MatrixXd> factors;  // lower Cholesky factors of the covariances: one a component, or the one of all
  MatrixXd deviations;            // [columns, components], of the diagonal kind
};

MatrixXd cholesky(MatrixXd covariance) {
  covariance.diagonal().array() += added_variance;
  const Eigen::LLT<MatrixXd> factor(covariance);
  ensure(factor.info() == Eigen::Success, "a covariance matrix of the Gaussian mixture is not positive definite");
  return factor.matrixL();
}

/// Of x [columns, rows] with responsibilities [rows, components].
Mixture maximise(const MatrixXd& x, const MatrixXd& responsibilities, Covariance kind) {
  Mixture mixture;
  const Index components = responsibilities.cols();
  const VectorXd sizes =
      responsibilities.colwise().sum().transpose().array() + 10 * std::numeric_limits<double>::epsilon();
  mixture.weights = sizes / sizes.sum();
  mixture.means = x * responsibilities * sizes.cwiseInverse().asDiagonal();
  if (kind == Covariance::diagonal) mixture.deviations.resize(x.rows(), components);
  MatrixXd pooled = MatrixXd::Zero(x.rows(), x.rows());
  for (Index k = 0; k < components; ++k) {
    const MatrixXd centred = x.colwise() - mixture.means.col(k);
    if (kind == Covariance::diagonal) {
      const VectorXd variance = centred.cwiseAbs2() * responsibilities.col(k) / sizes[k];
      mixture.deviations.col(k) = (variance.array() + added_variance).sqrt();
      continue;
    }
    const MatrixXd scatter = centred * responsibilities.col(k).asDiagonal() * centred.transpose();
    if (kind == Covariance::tied) {
      pooled += scatter;
    } else {
      mixture.factors.push_back(cholesky(scatter / sizes[k]));
    }
  }
  if (kind == Covariance::tied) mixture.factors.push_back(cholesky(pooled / static_cast<double>(x.cols())));
  return mixture;
}

/// log(weight * density) [rows, components].
MatrixXd log_densities(const MatrixXd& x, const Mixture& mixture) {
  const Index components = mixture.weights.size();
  MatrixXd logs(x.cols(), components);
  const double constant = static_cast<double>(x.rows()) * std::log(2 * std::numbers::pi);
  for (Index k = 0; k < components; ++k) {
    MatrixXd standard = x.colwise() - mixture.means.col(k);
    double log_determinant = 0;  // of the factor: half that of the covariance
    if (mixture.factors.empty()) {
      standard = mixture.deviations.col(k).cwiseInverse().asDiagonal() * standard;
      log_determinant = mixture.deviations.col(k).array().log().sum();
    } else {
      const MatrixXd& factor = mixture.factors.size() == 1 ? mixture.factors[0] : mixture.factors[std::size_t(k)];
      factor.triangularView<Eigen::Lower>().solveInPlace(standard);
      log_determinant = factor.diagonal().array().log().sum();
    }
    logs.col(k) = -0.5 * (standard.colwise().squaredNorm().transpose().array() + constant) - log_determinant +
                  std::log(mixture.weights[k]);
  }
  return logs;
}

/// Turns log(weight * density) into responsibilities; the mean log likelihood of the rows.
double normalise(MatrixXd& logs) {
  const VectorXd highest = logs.rowwise().maxCoeff();
  logs = (logs.colwise() - highest).array().exp();
  const VectorXd sums = logs.rowwise().sum();
  logs = sums.cwiseInverse().asDiagonal() * logs;
  return (highest.array() + sums.array().log()).mean();
}

double parameters_of(Index columns, Index components, Covariance kind) {
  const auto d = static_cast<double>(columns);
  const auto k = static_cast<double>(components);
  const double pairs = d * (d + 1) / 2;
  const double covariances = kind == Covariance::full ? k * pairs : kind == Covariance::tied ? pairs : k * d;
  return k * d + covariances + k - 1;
}

}  // namespace

MixtureFit fit_mixture(const DenseMatrix& rows, std::span<const std::int32_t> start, std::int64_t components,
                       Covariance covariance, const std::function<void()>& poll) {
  const MatrixXd x = eigen_of(rows).transpose();
  MatrixXd responsibilities = MatrixXd::Zero(rows.rows, components);
  for (std::size_t i = 0; i < start.size(); ++i) responsibilities(static_cast<Index>(i), start[i]) = 1;

  MixtureFit fit;
  Mixture mixture = maximise(x, responsibilities, covariance);
  for (double before = -std::numeric_limits<double>::infinity(); fit.iterations < most_iterations;) {
    poll();
    ++fit.iterations;
    responsibilities = log_densities(x, mixture);
    const double likelihood = normalise(responsibilities);
    mixture = maximise(x, responsibilities, covariance);
    if (std::abs(likelihood - before) < tolerance) break;
    before = likelihood;
  }
  responsibilities = log_densities(x, mixture);
  fit.log_likelihood = normalise(responsibilities);
  const auto n = static_cast<double>(rows.rows);
  fit.bic = -2 * n * fit.log_likelihood + parameters_of(rows.columns, components, covariance) * std::log(n);
  for (Index row = 0; row < rows.rows; ++row) {
    Index best = 0;
    responsibilities.row(row).maxCoeff(&best);
    fit.labels.push_back(static_cast<std::int32_t>(best));
  }
  return fit;
}

}  // namespace masksc::detail
