// A mixture of Gaussians fitted by expectation maximisation, as scikit-learn's GaussianMixture (a header of this room).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::detail {

enum class Covariance { full, diagonal, tied };  // one a component; one without correlations; one for all

struct MixtureFit {
  std::vector<std::int32_t> labels;  // most probable component of each row
  double log_likelihood = 0;         // mean over the rows, of the final parameters
  double bic = 0;                    // Schwarz 1978: -2 log likelihood + parameters log(rows); less is better
  std::int64_t iterations = 0;
};

/// Starts from `start`, the component of each row (0 .. components - 1); stops when the mean log likelihood changes by
/// less than 1e-3 or after 100 iterations. 1e-6 is added to every variance. `poll` is called once an iteration.
/// Throws InvariantError when a covariance matrix is not positive definite (values that aren't finite).
MixtureFit fit_mixture(const DenseMatrix& rows, std::span<const std::int32_t> start, std::int64_t components,
                       Covariance covariance, const std::function<void()>& poll);

}  // namespace masksc::detail
