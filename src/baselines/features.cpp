#include "masksc/baselines/features.hpp"

#include <algorithm>

#include "masksc/cluster/choose.hpp"
#include "masksc/cluster/leiden.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

DenseMatrix standardised(const Expression& expression) {
  const CsrMatrix& values = expression.values;
  const GeneScaling& scaling = expression.scaling;
  DenseMatrix dense(values.rows, values.columns);
  std::vector<float> absent(static_cast<std::size_t>(values.columns));
  for (std::size_t gene = 0; gene < absent.size(); ++gene) absent[gene] = scaling.scaled(gene, 0);
  for (std::int64_t cell = 0; cell < values.rows; ++cell) {
    const auto row = dense.row(cell);
    std::copy(absent.begin(), absent.end(), row.begin());
    const auto genes = values.row_indices(cell);
    for (std::size_t i = 0; i < genes.size(); ++i) {
      const auto gene = static_cast<std::size_t>(genes[i]);
      row[gene] = scaling.scaled(gene, values.row_values(cell)[i]);
    }
  }
  return dense;
}

/// Silhouettes of wider features (expression itself) take minutes.
constexpr std::int64_t kMostJudgedFeatures = 256;

std::int64_t estimated_clusters(const DenseMatrix& features, const BaselineSettings& settings) {
  const std::unique_ptr<Collectives> alone = single_rank();
  ClusterSettings choice;
  if (!has_leiden())
    choice.choice = ClusterChoice::silhouette;
  else if (features.columns > kMostJudgedFeatures)
    choice.choice = ClusterChoice::leiden;
  return choose_clusters(undealt(features), choice, settings.seed, *alone, settings.poll);
}

std::vector<std::vector<std::int32_t>> labels_of_features(const DenseMatrix& features,
                                                          const BaselineSettings& settings) {
  const std::unique_ptr<Collectives> alone = single_rank();
  std::vector<std::vector<std::int32_t>> labels;
  for (const std::int64_t wanted : settings.clusters) {
    const KMeansSettings kmeans_settings{.clusters = wanted == 0 ? estimated_clusters(features, settings) : wanted,
                                         .seed = settings.seed};
    labels.push_back(
        partition_cells(undealt(features), Clustering::kmeans, kmeans_settings, *alone, settings.poll).labels);
  }
  return labels;
}

}  // namespace masksc
