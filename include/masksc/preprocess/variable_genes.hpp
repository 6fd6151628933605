// Which genes vary most: Seurat's normalised dispersion (Satija 2015), as scanpy 1.11 computes it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/preprocess/moments.hpp"

namespace masksc {

/// log(variance / mean) of each gene, as a z-score among the genes of similar mean: 20 bins of equal width in
/// log1p(mean). A gene alone in its bin scores 1. NaN for genes without variance.
std::vector<double> normalized_dispersion(const GeneMoments& moments);

/// Gene indices by descending score; equal scores in file order, NaN last.
std::vector<std::int64_t> by_descending_score(std::span<const double> scores);

}  // namespace masksc
