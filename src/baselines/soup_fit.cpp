#include "soup_fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <numeric>

#include "lanczos.hpp"
#include "masksc/cluster/kmeans.hpp"
#include "masksc/core/random.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/model/torch.hpp"

namespace masksc::detail {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

constexpr std::int64_t folds = 10;
constexpr std::int64_t most_tried = 10;
constexpr double pure_share = 0.5;

std::int64_t extreme_neighbours(std::int64_t cells) {
  const double share = cells < 1000 ? 0.1 : cells < 2000 ? 0.05 : 0.03;
  const auto count = static_cast<std::int64_t>(std::llround(share * static_cast<double>(cells)));
  return std::min(std::max<std::int64_t>(count, 5), cells - 1);
}

DenseMatrix take(const DenseMatrix& rows, const std::vector<std::int64_t>& chosen) {
  DenseMatrix taken(std::ssize(chosen), rows.columns);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto row = rows.row(chosen[i]);
    std::copy(row.begin(), row.end(), taken.row(static_cast<std::int64_t>(i)).begin());
  }
  return taken;
}

/// |similarity| of all pairs [cells, cells], 0 of a cell to itself.
at::Tensor similarities(const DenseMatrix& rows) {
  const at::NoGradGuard without_gradients;
  const at::Tensor x = at::from_blob(const_cast<float*>(rows.values.data()), {rows.rows, rows.columns}, at::kFloat);
  const at::Tensor centred = x - x.mean(0, true);
  at::Tensor similarity = at::matmul(centred, centred.t()).abs_();
  similarity.fill_diagonal_(0);
  return similarity;
}

std::vector<double> purities(const DenseMatrix& rows, const std::function<void()>& poll) {
  const at::Tensor similarity = similarities(rows).contiguous();
  const float* values = similarity.const_data_ptr<float>();
  const std::int64_t cells = rows.rows;
  std::vector<float> largest(static_cast<std::size_t>(cells));
  for (std::int64_t i = 0; i < cells; ++i)
    largest[static_cast<std::size_t>(i)] = *std::max_element(values + i * cells, values + (i + 1) * cells);

  const std::int64_t count = extreme_neighbours(cells);
  std::vector<double> purity;
  std::vector<std::size_t> others(static_cast<std::size_t>(cells));
  for (std::int64_t i = 0; i < cells; ++i) {
    poll();
    const float* row = values + i * cells;
    std::iota(others.begin(), others.end(), std::size_t{0});
    std::nth_element(others.begin(), others.begin() + count, others.end(),
                     [&](std::size_t a, std::size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    std::sort(others.begin(), others.begin() + count);  // the sum in one order
    double sum = 0;
    for (std::int64_t n = 0; n < count; ++n) {
      const std::size_t other = others[static_cast<std::size_t>(n)];
      if (largest[other] > 0) sum += static_cast<double>(row[other]) / static_cast<double>(largest[other]);
    }
    purity.push_back(sum / static_cast<double>(std::max<std::int64_t>(count, 1)));
  }
  return purity;
}

/// No negatives, rows that sum to 1 (0 where nothing is positive).
MatrixXd as_membership(const MatrixXd& theta) {
  MatrixXd membership = theta.cwiseMax(0);
  for (Index row = 0; row < membership.rows(); ++row) {
    const double sum = membership.row(row).sum();
    if (sum > 0) membership.row(row) /= sum;
  }
  return membership;
}

/// Sum of squares that memberships of centres fitted to `train` leave in `test`, for 2, 3, ... `most` clusters.
std::vector<double> prediction_errors(const DenseMatrix& train, const MatrixXd& test, std::int64_t most,
                                      std::uint64_t seed, const std::function<void()>& poll) {
  const SoupCells cells = soup_cells(train, most, poll);
  const MatrixXd x = eigen_of(train);
  std::vector<double> errors;
  for (std::int64_t clusters = 2; clusters <= most; ++clusters) {
    const SoupFit fit = soup_fit(train, cells, clusters, seed, poll);
    const MatrixXd centres = fit.theta.completeOrthogonalDecomposition().solve(x);
    const MatrixXd theta = centres.transpose().completeOrthogonalDecomposition().solve(test.transpose()).transpose();
    errors.push_back((test - as_membership(theta) * centres).squaredNorm());
  }
  return errors;
}

}  // namespace

SoupCells soup_cells(const DenseMatrix& rows, std::int64_t most_clusters, const std::function<void()>& poll) {
  SoupCells cells;
  cells.purity = purities(rows, poll);
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return cells.purity[static_cast<std::size_t>(a)] > cells.purity[static_cast<std::size_t>(b)];
  });
  const auto half = static_cast<std::int64_t>(std::llround(pure_share * static_cast<double>(rows.rows)));
  const std::int64_t pure = std::min(rows.rows, std::max({half, std::int64_t{10}, most_clusters}));
  cells.pure.assign(order.begin(), order.begin() + pure);
  std::sort(cells.pure.begin(), cells.pure.end());

  const MatrixXd x = eigen_of(rows);
  cells.left = singular_vectors(x, std::min<Index>({most_clusters, x.rows(), x.cols()})).left;
  return cells;
}

SoupFit soup_fit(const DenseMatrix& rows, const SoupCells& cells, std::int64_t clusters, std::uint64_t seed,
                 const std::function<void()>& poll) {
  const std::unique_ptr<Collectives> alone = single_rank();
  const DenseMatrix pure = take(rows, cells.pure);
  const KMeansSettings settings{.clusters = clusters, .seed = seed};
  const KMeansResult found = kmeans(undealt(pure), settings, *alone, poll);

  const MatrixXd left = cells.left.leftCols(std::min<Index>(clusters, cells.left.cols()));
  MatrixXd left_of_pure(pure.rows, left.cols());
  MatrixXd theta_of_pure = MatrixXd::Zero(pure.rows, clusters);
  for (Index i = 0; i < pure.rows; ++i) {
    left_of_pure.row(i) = left.row(cells.pure[static_cast<std::size_t>(i)]);
    theta_of_pure(i, found.labels[static_cast<std::size_t>(i)]) = 1;
  }
  SoupFit fit;
  fit.theta = left * left_of_pure.completeOrthogonalDecomposition().solve(theta_of_pure);
  fit.membership = as_membership(fit.theta);
  return fit;
}

std::int64_t soup_clusters(const DenseMatrix& rows, std::uint64_t seed, const std::function<void()>& poll) {
  const std::int64_t most = std::min({most_tried, rows.columns, rows.rows / 4});
  if (most < 2) return 1;
  const auto order = random_permutation(rows.rows, seed, Purpose::sampling, 0);
  std::vector<double> errors(static_cast<std::size_t>(most - 1));
  for (std::int64_t fold = 0; fold < std::min(folds, rows.rows); ++fold) {
    const auto begin = order.begin() + rows.rows * fold / folds;
    const auto end = order.begin() + rows.rows * (fold + 1) / folds;
    std::vector<std::int64_t> kept(order.begin(), begin);
    kept.insert(kept.end(), end, order.end());
    const MatrixXd test = eigen_of(take(rows, {begin, end}));
    const auto found = prediction_errors(take(rows, kept), test, most, seed, poll);
    std::transform(found.begin(), found.end(), errors.begin(), errors.begin(), std::plus<>());
  }
  return 2 + (std::min_element(errors.begin(), errors.end()) - errors.begin());
}

}  // namespace masksc::detail
