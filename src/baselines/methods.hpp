// The methods by file; registry.cpp puts them in order.
#pragma once

#include "masksc/baselines/baseline.hpp"

namespace masksc {

/// The preparation of methods that have none of their own: scanpy's, of about the 2000 most variable genes.
inline PreparationSettings usual_preparation() { return {.matrix = "44x44", .genes = ""}; }

// Classical methods.
Baseline pca_kmeans_baseline();
Baseline pca_leiden_baseline();
Baseline residual_kmeans_baseline();
Baseline residual_leiden_baseline();
Baseline kmeans_baseline();
Baseline gmm_baseline();
Baseline gmm_diag_baseline();
Baseline gmm_tied_baseline();
Baseline cidr_baseline();
Baseline soup_baseline();
Baseline scrna_nmf_baseline();

// Those that train a network.
Baseline dca_baseline();
Baseline scdeepcluster_baseline();
Baseline sczidesk_baseline();
Baseline contrastive_sc_baseline();
Baseline scmae_baseline();

}  // namespace masksc
