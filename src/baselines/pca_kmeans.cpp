#include "masksc/baselines/features.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  BaselineResult result;
  result.features = principal_components(input.expression);
  result.labels = cluster_features(result.features, settings);
  return result;
}

}  // namespace

Baseline pca_kmeans_baseline() {
  return {.name = "pca-kmeans",
          .title = "K-means on 50 principal components of standardised expression",
          .source = "Wolf, Angerer and Theis 2018 (scanpy); Lloyd 1982",
          .published = {.matrix = "44x44", .genes = ""},  // about the 2000 most variable genes
          .run = run};
}

}  // namespace masksc
