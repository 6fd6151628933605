// Non-negative factorisation of sparse matrices, as scikit-learn's coordinate descent (a header of this room).
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>

#include "masksc/core/types.hpp"

namespace masksc::detail {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// x [cells, genes] ~ weights dictionary^T.
struct NmfFactors {
  RowMatrix weights;     // [cells, components]
  RowMatrix dictionary;  // [genes, components]
};

/// 1/2 |x - weights dictionary^T|^2 + alpha (l1_share |factors|_1 + 1/2 (1 - l1_share) |factors|^2), both factors
/// alike.
struct NmfSettings {
  double alpha = 10;  // the defaults of Mieth et al.'s program
  double l1_share = 0.75;
  double tolerance = 1e-3;  // stop when the violation of the optimality conditions is below this share of the first
  std::int64_t most_iterations = 4000;
};

/// Start from singular vectors (NNDSVD of Boutsidis and Gallopoulos 2008, "nndsvdar": zeros become small random
/// numbers by `seed`). `components` is at most the smaller side.
NmfFactors nmf_start(const CsrMatrix& x, std::int64_t components, std::uint64_t seed);

/// Improves both factors in turns (Cichocki and Phan 2009); returns the number of iterations. `poll` once for each.
std::int64_t improve(const CsrMatrix& x, NmfFactors& factors, const NmfSettings& settings,
                     const std::function<void()>& poll);

/// Non-negative weights [cells, components] of the least |x - weights dictionary^T|, by the same descent without
/// penalty.
RowMatrix transferred_weights(const CsrMatrix& x, const RowMatrix& dictionary, const std::function<void()>& poll);

}  // namespace masksc::detail
