#include <algorithm>
#include <memory>
#include <utility>

#include "lanczos.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/dist/collectives.hpp"
#include "methods.hpp"
#include "soup_fit.hpp"

namespace masksc {
namespace {

/// Dimensions in which the number of clusters is sought: what lies outside is the same error for every number.
constexpr Eigen::Index search_dimensions = 50;

/// Log-normalised, not standardised.
DenseMatrix dense(const CsrMatrix& values) {
  DenseMatrix rows(values.rows, values.columns);
  for (std::int64_t cell = 0; cell < values.rows; ++cell) {
    const auto genes = values.row_indices(cell);
    for (std::size_t i = 0; i < genes.size(); ++i)
      rows.row(cell)[static_cast<std::size_t>(genes[i])] = values.row_values(cell)[i];
  }
  return rows;
}

/// The rows' coordinates on the first right singular vectors (uncentred).
DenseMatrix reduced(const DenseMatrix& rows) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::MatrixXd x = detail::eigen_of(rows);
  const auto found = detail::singular_vectors(x, std::min({search_dimensions, x.rows(), x.cols()}));
  DenseMatrix coordinates(rows.rows, found.values.size());
  Eigen::Map<RowMajor>(coordinates.values.data(), rows.rows, found.values.size()) =
      (found.left * found.values.asDiagonal()).cast<float>();
  return coordinates;
}

std::vector<std::int32_t> major_types(const Eigen::MatrixXd& membership) {
  std::vector<std::int32_t> labels;
  for (Eigen::Index cell = 0; cell < membership.rows(); ++cell) {
    Eigen::Index largest = 0;
    membership.row(cell).maxCoeff(&largest);
    labels.push_back(static_cast<std::int32_t>(largest));
  }
  return labels;
}

/// The features are the memberships of the first number asked for.
BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  const DenseMatrix rows = dense(input.expression.values);
  std::vector<std::int64_t> numbers = settings.clusters;
  for (std::int64_t& clusters : numbers) {
    if (clusters == 0) clusters = detail::soup_clusters(reduced(rows), settings.seed, settings.poll);
  }
  const std::int64_t most = numbers.empty() ? 1 : *std::max_element(numbers.begin(), numbers.end());
  const detail::SoupCells cells = detail::soup_cells(rows, most, settings.poll);
  const std::unique_ptr<Collectives> alone = single_rank();
  BaselineResult result;
  for (const std::int64_t clusters : numbers) {
    const detail::SoupFit fit = detail::soup_fit(rows, cells, clusters, settings.seed, settings.poll);
    std::vector<std::int32_t> labels = major_types(fit.membership);
    number_by_size(labels, *alone);
    result.labels.push_back(std::move(labels));
    if (result.features.rows > 0) continue;
    result.features = DenseMatrix(rows.rows, clusters);
    for (Eigen::Index cell = 0; cell < rows.rows; ++cell) {
      for (Eigen::Index k = 0; k < clusters; ++k)
        result.features.row(cell)[static_cast<std::size_t>(k)] = static_cast<float>(fit.membership(cell, k));
    }
  }
  return result;
}

}  // namespace

Baseline soup_baseline() {
  return {.name = "soup",
          .title = "SOUP: memberships of all cells from the pure ones, hard labels by the largest",
          .source = "Zhu, Lei, Klei, Devlin and Roeder 2019, PNAS 116:466",
          // Log-normalised values of some hundred selected genes.
          .published = {.matrix = "22x22", .patch = "1", .genes = "", .standardize = Standardize::no},
          .run = run};
}

}  // namespace masksc
