// Lloyd's iterations from given centres.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/cluster/kmeans.hpp"
#include "tiled_rows.hpp"

namespace masksc::detail {

struct LloydResult {
  std::vector<std::int32_t> labels;  // of the local rows
  std::vector<float> centres;        // [clusters, columns], scaled as the rows
  double inertia = 0;                // scaled
  std::int64_t iterations = 0;
  std::int64_t empty = 0;  // clusters without rows
};

/// Iterates until no label changes, or the centres move by at most tolerance * mean variance (then labels are computed
/// once more, so that they belong to the centres), or max_iterations. A cluster without rows takes the row farthest
/// from its centre (the lowest global row of equals). A collective.
LloydResult lloyd(const TiledRows& data, std::vector<float> centres, const KMeansSettings& settings, Collectives& ranks,
                  const std::function<void()>& poll);

/// The nearest centre of each local row.
std::vector<std::int32_t> nearest_labels(const TiledRows& data, const std::vector<float>& centres,
                                         std::int64_t clusters);

}  // namespace masksc::detail
