#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "lanczos.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/error.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/scaling.hpp"

namespace masksc {
namespace {

using Sparse = irlba::ParallelSparseMatrix<Eigen::VectorXd, Eigen::MatrixXd, std::vector<double>,
                                           std::vector<std::int32_t>, std::vector<std::int64_t>>;

/// Standardised values less what an absent value becomes: zeros stay zeros, and centring takes the constant away.
Sparse standardised_from_absent(const CsrMatrix& values, const GeneScaling& scaling, Eigen::VectorXd& mean) {
  std::vector<double> shifted(values.values.size());
  mean = Eigen::VectorXd::Zero(values.columns);
  for (std::size_t i = 0; i < shifted.size(); ++i) {
    const auto gene = static_cast<std::size_t>(values.indices[i]);
    shifted[i] = static_cast<double>(scaling.scaled(gene, values.values[i])) - scaling.scaled(gene, 0);
    mean[values.indices[i]] += shifted[i];
  }
  mean /= static_cast<double>(std::max<std::int64_t>(values.rows, 1));
  return {values.rows, values.columns, std::move(shifted), values.indices, values.row_start, false, 1};
}

}  // namespace

DenseMatrix principal_components(const CsrMatrix& values, const GeneScaling& scaling, std::int64_t dimensions) {
  const std::int64_t columns = std::min({dimensions, values.rows, values.columns});
  DenseMatrix components(values.rows, columns);
  if (columns == 0) return components;
  Eigen::VectorXd mean;
  const Sparse sparse = standardised_from_absent(values, scaling, mean);
  const irlba::CenteredMatrix<Eigen::VectorXd, Eigen::MatrixXd, const Sparse*, const Eigen::VectorXd*> centred(&sparse,
                                                                                                               &mean);
  const detail::SingularVectors found = detail::singular_vectors(centred, columns);
  for (std::int64_t c = 0; c < columns; ++c) {
    Eigen::Index largest = 0;
    found.right.col(c).cwiseAbs().maxCoeff(&largest);
    const double scale = found.right(largest, c) < 0 ? -found.values[c] : found.values[c];
    for (std::int64_t cell = 0; cell < values.rows; ++cell)
      components.row(cell)[static_cast<std::size_t>(c)] = static_cast<float>(found.left(cell, c) * scale);
  }
  return components;
}

DenseMatrix standardised_components(const BaselineInput& input) {
  return principal_components(input.expression.values, input.expression.scaling);
}

DenseMatrix residual_components(const BaselineInput& input) {
  const std::vector<float>& counts = input.counts.values;
  if (std::any_of(counts.begin(), counts.end(), [](float count) { return count != std::floor(count); }))
    throw UserError(
        "Pearson residuals are those of counts, and the input has values that are not whole: leave the "
        "methods on residuals out of --methods");
  const Expression& expression = input.expression;
  return principal_components(expression.values, residual_scaling(expression, *single_rank()));
}

}  // namespace masksc
