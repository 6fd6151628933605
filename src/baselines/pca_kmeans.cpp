#include <utility>

#include "masksc/baselines/features.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

BaselineResult clusters_of(DenseMatrix components, const BaselineSettings& settings) {
  BaselineResult result;
  result.labels = labels_of_features(components, settings);
  result.features = std::move(components);
  return result;
}

BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  return clusters_of(principal_components(input.expression.values, input.expression.scaling), settings);
}

BaselineResult run_on_residuals(const BaselineInput& input, const BaselineSettings& settings) {
  return clusters_of(residual_components(input), settings);
}

}  // namespace

Baseline pca_kmeans_baseline() {
  return {.name = "pca-kmeans",
          .title = "K-means on 50 principal components of standardised expression",
          .source = "Wolf, Angerer and Theis 2018 (scanpy); Lloyd 1982",
          .published = {.matrix = "44x44", .genes = ""},  // about the 2000 most variable genes
          .run = run};
}

Baseline residual_kmeans_baseline() {
  return {.name = "residual-kmeans",
          .title = "K-means on 50 principal components of Pearson residuals",
          .source = "Lause, Berens and Kobak 2021; Lloyd 1982",
          .published = {.matrix = "44x44", .genes = ""},  // about the 2000 most variable genes
          .run = run_on_residuals};
}

}  // namespace masksc
