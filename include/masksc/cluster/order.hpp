// Sizes of clusters, and their numbers by size: the largest is 0, as Leiden in scanpy numbers them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Cells of each of so many clusters over all ranks. A collective.
std::vector<std::int64_t> cluster_sizes(std::span<const std::int32_t> local_labels, std::int64_t clusters,
                                        Collectives& ranks);

/// Renumbers local_labels (from 0) by size over all ranks, descending; equals keep their order.
/// Returns the old number of each new one, up to the highest that occurs. A collective.
std::vector<std::int32_t> number_by_size(std::vector<std::int32_t>& local_labels, Collectives& ranks);

/// Codes with the names "0", "1", ...
Labels name_clusters(std::vector<std::int32_t> codes, std::int64_t clusters);

}  // namespace masksc
