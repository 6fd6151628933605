// What several baselines share: the dense standardised matrix, principal components, and clusters of features.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/baselines/baseline.hpp"
#include "masksc/cluster/partition.hpp"
#include "masksc/core/types.hpp"
#include "masksc/preprocess/expression.hpp"

namespace masksc {

/// [cells, genes]: every gene standardised and clipped as the model sees it (see GeneScaling).
DenseMatrix standardised(const Expression& expression);

/// The cells' coordinates [cells, dimensions] on the first principal components of `values` [cells, genes],
/// log-normalised, as `scaling` makes them: centred, not whitened, in order of variance; the sign of each component is
/// such that its largest loading is positive. Fewer columns when cells or genes are fewer. Of standardised genes they
/// are what scanpy.pp.pca computes after scanpy.pp.scale.
DenseMatrix principal_components(const CsrMatrix& values, const GeneScaling& scaling, std::int64_t dimensions = 50);

/// Of the cells as they are standardised (`expression`).
DenseMatrix standardised_components(const BaselineInput& input);
/// Of the Pearson residuals of the cells' counts (residual_scaling), however the expression is standardised.
/// Throws UserError for values that are no counts.
DenseMatrix residual_components(const BaselineInput& input);

/// As many clusters of the rows as masksc_train --clusters auto would choose.
std::int64_t estimated_clusters(const DenseMatrix& features, const BaselineSettings& settings);

/// Labels of the rows of `features`, one for each of settings.clusters (0: estimated_clusters): K-means with 10
/// restarts. Numbered by size.
std::vector<std::vector<std::int32_t>> labels_of_features(const DenseMatrix& features,
                                                          const BaselineSettings& settings);

}  // namespace masksc
