#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "lanczos.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/chosen.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "methods.hpp"
#include "nmf.hpp"

namespace masksc {
namespace {

using detail::RowMatrix;

constexpr double mixture = 0.5;  // share of what was transferred in what is clustered: their program's default
constexpr Eigen::Index dimensions = 50;

/// The data set that the dictionary is of, and the target's values of the genes that both have.
struct Transfer {
  CsrMatrix source;
  CsrMatrix target;
};

/// A random half of the cells stands for a source data set.
Transfer from_half(const Expression& target, std::uint64_t seed) {
  auto order = random_permutation(target.values.rows, seed, Purpose::sampling, 0);
  order.resize(static_cast<std::size_t>((target.values.rows + 1) / 2));
  std::sort(order.begin(), order.end());
  return {chosen_rows(target.values, order), target.values};
}

/// Genes are matched by name, in the target's order.
Transfer from_source(const Expression& target, const Expression& source) {
  std::unordered_map<std::string, std::int64_t> column;
  for (std::size_t gene = 0; gene < source.gene_names.size(); ++gene)
    column.emplace(source.gene_names[gene], static_cast<std::int64_t>(gene));
  std::vector<std::int64_t> of_source;
  std::vector<std::int64_t> of_target;
  for (std::size_t gene = 0; gene < target.gene_names.size(); ++gene) {
    const auto found = column.find(target.gene_names[gene]);
    if (found == column.end()) continue;
    of_source.push_back(found->second);
    of_target.push_back(static_cast<std::int64_t>(gene));
    column.erase(found);  // a name that comes twice is matched once
  }
  if (of_target.empty()) {
    throw UserError(
        fmt::format("scrna-nmf: the source has none of the target's {} genes (names such as {} and {}); "
                    "give a source with the same kind of gene names, or none: half of the cells is it then",
                    target.gene_names.size(), source.gene_names.empty() ? "" : source.gene_names.front(),
                    target.gene_names.empty() ? "" : target.gene_names.front()));
  }
  return {select_columns(source.values, of_source), select_columns(target.values, of_target)};
}

/// Weights of the cells on one component only, the largest, at the average that the component has in its cells.
RowMatrix one_component_each(const RowMatrix& weights) {
  std::vector<Eigen::Index> largest(static_cast<std::size_t>(weights.rows()), 0);
  Eigen::VectorXd sums = Eigen::VectorXd::Zero(weights.cols());
  Eigen::VectorXd cells = Eigen::VectorXd::Zero(weights.cols());
  for (Eigen::Index cell = 0; cell < weights.rows(); ++cell) {
    Eigen::Index& best = largest[static_cast<std::size_t>(cell)];
    sums[best] += weights.row(cell).maxCoeff(&best);
    cells[best] += 1;
  }
  RowMatrix single = RowMatrix::Zero(weights.rows(), weights.cols());
  for (Eigen::Index cell = 0; cell < weights.rows(); ++cell) {
    const Eigen::Index best = largest[static_cast<std::size_t>(cell)];
    single(cell, best) = sums[best] / cells[best];
  }
  return single;
}

/// Principal components of the rows (centred, not standardised).
DenseMatrix components_of(const Eigen::MatrixXd& rows) {
  const Eigen::VectorXd mean = rows.colwise().mean();
  const irlba::SimpleMatrix<Eigen::VectorXd, Eigen::MatrixXd, const Eigen::MatrixXd*> plain(&rows);
  const irlba::CenteredMatrix<Eigen::VectorXd, Eigen::MatrixXd, const decltype(plain)*, const Eigen::VectorXd*> centred(
      &plain, &mean);
  const auto found = detail::singular_vectors(centred, std::min({dimensions, rows.rows(), rows.cols()}));
  DenseMatrix components(rows.rows(), found.values.size());
  for (Eigen::Index row = 0; row < rows.rows(); ++row) {
    for (Eigen::Index c = 0; c < found.values.size(); ++c)
      components.row(row)[static_cast<std::size_t>(c)] = static_cast<float>(found.left(row, c) * found.values[c]);
  }
  return components;
}

/// dense + scale sparse.
Eigen::MatrixXd with(const CsrMatrix& sparse, Eigen::MatrixXd dense, double scale) {
  for (std::int64_t cell = 0; cell < sparse.rows; ++cell) {
    const auto genes = sparse.row_indices(cell);
    for (std::size_t i = 0; i < genes.size(); ++i)
      dense(cell, genes[i]) += scale * static_cast<double>(sparse.row_values(cell)[i]);
  }
  return dense;
}

/// The target, mixed with what the source's dictionary of `clusters` components says of it: its components.
DenseMatrix mixed_components(const Transfer& transfer, std::int64_t clusters, const BaselineSettings& settings) {
  const CsrMatrix& target = transfer.target;
  const std::int64_t rank = std::min({clusters, transfer.source.rows, transfer.source.columns});
  detail::NmfFactors factors = detail::nmf_start(transfer.source, rank, settings.seed);
  detail::improve(transfer.source, factors, {}, settings.poll);
  const RowMatrix weights = detail::transferred_weights(target, factors.dictionary, settings.poll);
  return components_of(
      with(target, mixture * one_component_each(weights) * factors.dictionary.transpose(), 1 - mixture));
}

/// The features are those of the first number asked for. The authors name no way to choose the number (their program
/// goes through a range); estimated, it is the common rule's on the target's own components.
BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  const Transfer transfer = settings.source != nullptr ? from_source(input.expression, *settings.source)
                                                       : from_half(input.expression, settings.seed);
  BaselineResult result;
  for (std::int64_t clusters : settings.clusters) {
    if (clusters == 0) {
      const Eigen::MatrixXd nothing = Eigen::MatrixXd::Zero(transfer.target.rows, transfer.target.columns);
      clusters = estimated_clusters(components_of(with(transfer.target, nothing, 1)), settings);
    }
    BaselineSettings one = settings;
    one.clusters = {clusters};
    DenseMatrix features = mixed_components(transfer, clusters, settings);
    result.labels.push_back(std::move(labels_of_features(features, one).front()));
    if (result.features.rows == 0) result.features = std::move(features);
  }
  return result;
}

}  // namespace

Baseline scrna_nmf_baseline() {
  return {
      .name = "scrna-nmf",
      .title = "NMF dictionary of a source data set (or a random half) transferred, mixed in, K-means of components",
      .source = "Mieth et al. 2019, Scientific Reports 9:20353",
      // Log-transformed expression of the genes that pass SC3's filter: all that are neither rare nor everywhere.
      .published = {.matrix = "64x64", .patch = "1", .genes = "", .standardize = Standardize::no},
      .run = run};
}

}  // namespace masksc
