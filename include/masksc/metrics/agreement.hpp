// How well two partitions of the same cells agree, whatever their clusters are called.
#pragma once

#include <cstdint>
#include <span>

namespace masksc {

/// Adjusted Rand index (Hubert and Arabie 1985) of two labellings of the same cells, as scikit-learn's
/// adjusted_rand_score: 1 for equal partitions, about 0 for unrelated ones, at least -0.5.
/// Any integers are labels; a caller leaves out cells without one. Throws InvariantError when the sizes differ.
double adjusted_rand_index(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

/// Mutual information divided by the arithmetic mean of the two entropies, as scikit-learn's
/// normalized_mutual_info_score: in [0, 1]; 1 when both have a single cluster.
/// Throws InvariantError when the sizes differ.
double normalized_mutual_information(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

}  // namespace masksc
