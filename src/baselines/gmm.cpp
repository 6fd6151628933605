#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "gaussian_mixture.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/cluster/kmeans.hpp"
#include "masksc/cluster/order.hpp"
#include "masksc/dist/collectives.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

using detail::Covariance;

/// Principal components that the mixture sees. A full covariance of d components has d (d + 1) / 2 entries for the
/// cells of one cluster to support: 55 of 10, but 1275 of the 50 that K-means gets. The other two kinds see the same
/// 10, so that the three differ in the covariance alone.
constexpr std::int64_t dimensions = 10;
constexpr std::int64_t most_components = 30;  // tried when the number is estimated

detail::MixtureFit fit(const DenseMatrix& features, std::int64_t components, Covariance covariance,
                       const BaselineSettings& settings, Collectives& alone) {
  const KMeansSettings start{.clusters = components, .seed = settings.seed};
  const KMeansResult clusters = kmeans(undealt(features), start, alone, settings.poll);
  return detail::fit_mixture(features, clusters.labels, components, covariance, settings.poll);
}

/// Of 2 .. 30 components, those of the least BIC.
detail::MixtureFit fit_any(const DenseMatrix& features, Covariance covariance, const BaselineSettings& settings,
                           Collectives& alone) {
  detail::MixtureFit best;
  best.bic = std::numeric_limits<double>::infinity();
  const std::int64_t most = std::min(most_components, features.rows);
  for (std::int64_t components = std::min<std::int64_t>(2, most); components <= most; ++components) {
    detail::MixtureFit found = fit(features, components, covariance, settings, alone);
    if (found.bic < best.bic) best = std::move(found);
  }
  return best;
}

template <Covariance covariance>
BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  const std::unique_ptr<Collectives> alone = single_rank();
  BaselineResult result;
  result.features = principal_components(input.expression.values, input.expression.scaling, dimensions);
  for (const std::int64_t clusters : settings.clusters) {
    detail::MixtureFit found = clusters == 0 ? fit_any(result.features, covariance, settings, *alone)
                                             : fit(result.features, clusters, covariance, settings, *alone);
    number_by_size(found.labels, *alone);
    result.labels.push_back(std::move(found.labels));
  }
  return result;
}

template <Covariance covariance>
Baseline baseline(const char* name, const char* title) {
  return {.name = name,
          .title = title,
          .source = "Dempster, Laird and Rubin 1977; Schwarz 1978 (number of components)",
          .published = usual_preparation(),
          .run = run<covariance>};
}

}  // namespace

Baseline gmm_baseline() {
  return baseline<Covariance::full>("gmm", "Gaussian mixture on 10 principal components, a full covariance each");
}

Baseline gmm_diag_baseline() {
  return baseline<Covariance::diagonal>("gmm-diag", "Gaussian mixture on 10 principal components, variances only");
}

Baseline gmm_tied_baseline() {
  return baseline<Covariance::tied>("gmm-tied", "Gaussian mixture on 10 principal components, one covariance for all");
}

}  // namespace masksc
