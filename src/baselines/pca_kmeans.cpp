#include "masksc/baselines/features.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

template <DenseMatrix (*components)(const BaselineInput&)>
BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  BaselineResult result;
  result.features = components(input);
  result.labels = labels_of_features(result.features, settings);
  return result;
}

}  // namespace

Baseline pca_kmeans_baseline() {
  return {.name = "pca-kmeans",
          .title = "K-means on 50 principal components of standardised expression",
          .source = "Wolf, Angerer and Theis 2018 (scanpy); Lloyd 1982",
          .published = usual_preparation(),
          .run = run<standardised_components>};
}

Baseline residual_kmeans_baseline() {
  return {.name = "residual-kmeans",
          .title = "K-means on 50 principal components of Pearson residuals",
          .source = "Lause, Berens and Kobak 2021; Lloyd 1982",
          .published = usual_preparation(),
          .run = run<residual_components>};
}

}  // namespace masksc
