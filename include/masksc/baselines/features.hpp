// What several baselines share: the dense standardised matrix, principal components, and clusters of features.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/baselines/baseline.hpp"
#include "masksc/cluster/partition.hpp"
#include "masksc/core/types.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace masksc {

/// [cells, genes]: every gene standardised and clipped as the model sees it (see GeneScaling).
DenseMatrix standardised(const Expression& expression);

/// The cells' coordinates [cells, dimensions] on the first principal components of the standardised genes, as
/// scanpy.pp.pca computes them after scanpy.pp.scale: centred, not whitened, in order of variance; the sign of each
/// component is such that its largest loading is positive. Fewer columns when cells or genes are fewer.
DenseMatrix principal_components(const Expression& expression, std::int64_t dimensions = 50);

/// As many clusters of the rows as masksc_train --clusters auto would choose.
std::int64_t estimated_clusters(const DenseMatrix& features, const BaselineSettings& settings);

/// Labels of the rows of `features`, one for each of settings.clusters (0: estimated_clusters): K-means with 10
/// restarts, or what else partition_cells does. Numbered by size.
std::vector<std::vector<std::int32_t>> cluster_features(const DenseMatrix& features, const BaselineSettings& settings,
                                                        Clustering clustering = Clustering::kmeans);

}  // namespace masksc
