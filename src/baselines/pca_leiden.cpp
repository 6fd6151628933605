#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

#include "masksc/baselines/features.hpp"
#include "masksc/cluster/leiden.hpp"
#include "masksc/core/error.hpp"
#include "masksc/dist/collectives.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

constexpr double usual_resolution = 1;  // scanpy's default, and 15 neighbours, which LeidenSettings has
constexpr double least_resolution = 1e-3;
constexpr double most_resolution = 1e3;
constexpr int most_trials = 30;

/// Leiden at resolutions between which the number of clusters is sought.
class Search {
 public:
  Search(const DenseMatrix& components, const BaselineSettings& settings)
      : components_(components), settings_(settings) {}

  /// The partition at `resolution`.
  Labels at(double resolution) {
    settings_.poll();
    const LeidenSettings leiden_settings{.resolution = resolution, .seed = settings_.seed};
    return leiden(undealt(components_), leiden_settings, *alone_);
  }

  /// The partition into `clusters`, or of a number nearest to it among those tried: bisection of log(resolution). The
  /// number of clusters does not grow steadily with the resolution, so some numbers are not met.
  std::vector<std::int32_t> into(std::int64_t clusters) {
    double low = least_resolution;
    double high = most_resolution;
    double resolution = usual_resolution;
    Labels nearest;
    for (int trial = 0; trial < most_trials && high / low > 1 + 1e-6; ++trial) {
      Labels found = at(resolution);
      const std::int64_t many = std::ssize(found.names) - clusters;
      if (trial == 0 || std::abs(many) < std::abs(std::ssize(nearest.names) - clusters)) nearest = std::move(found);
      if (many == 0) break;
      (many < 0 ? low : high) = resolution;
      resolution = std::sqrt(low * high);
    }
    return std::move(nearest.codes);
  }

 private:
  const DenseMatrix& components_;
  const BaselineSettings& settings_;
  std::unique_ptr<Collectives> alone_ = single_rank();
};

template <DenseMatrix (*components)(const BaselineInput&)>
BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  if (!has_leiden())
    throw UserError(
        "pca-leiden and residual-leiden need Leiden, and this build of mask-sc has none (igraph was left out); build "
        "with igraph installed and -DMASKSC_IGRAPH=ON, or leave them out of --methods");
  BaselineResult result;
  result.features = components(input);
  Search search(result.features, settings);
  for (const std::int64_t clusters : settings.clusters)
    result.labels.push_back(clusters == 0 ? search.at(usual_resolution).codes : search.into(clusters));
  return result;
}

}  // namespace

Baseline pca_leiden_baseline() {
  return {.name = "pca-leiden",
          .title = "Leiden on 15 nearest neighbours in 50 principal components of standardised expression",
          .source = "Wolf, Angerer and Theis 2018 (scanpy); Traag, Waltman and van Eck 2019",
          .published = usual_preparation(),
          .run = run<standardised_components>};
}

Baseline residual_leiden_baseline() {
  return {.name = "residual-leiden",
          .title = "Leiden on 15 nearest neighbours in 50 principal components of Pearson residuals",
          .source = "Lause, Berens and Kobak 2021; Traag, Waltman and van Eck 2019",
          .published = usual_preparation(),
          .run = run<residual_components>};
}

}  // namespace masksc
