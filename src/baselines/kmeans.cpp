#include "masksc/baselines/features.hpp"
#include "methods.hpp"

namespace masksc {
namespace {

BaselineResult run(const BaselineInput& input, const BaselineSettings& settings) {
  BaselineResult result;
  result.features = standardised(input.expression);
  result.labels = labels_of_features(result.features, settings);
  return result;
}

}  // namespace

Baseline kmeans_baseline() {
  return {.name = "kmeans",
          .title = "K-means on standardised expression",
          .source = "Lloyd 1982",
          .published = {},
          .run = run};
}

}  // namespace masksc
