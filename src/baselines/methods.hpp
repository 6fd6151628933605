// The methods by file; registry.cpp puts them in order.
#pragma once

#include "masksc/baselines/baseline.hpp"

namespace masksc {

Baseline kmeans_baseline();

Baseline dca_baseline();
Baseline scdeepcluster_baseline();
Baseline sczidesk_baseline();
Baseline contrastive_sc_baseline();
Baseline scmae_baseline();

}  // namespace masksc
