// What guides stage 2 where --guidance-target is auto.
#pragma once

#include <cstdint>
#include <functional>

#include "masksc/model/targets.hpp"
#include "masksc/run/stages.hpp"

namespace masksc {

/// Into so many clusters cells are put to see whether there are groups of them ...
inline constexpr std::int64_t kTrialClusters = 8;
/// ... and this mean silhouette says yes.
inline constexpr double kShowsGroups = 0.15;

/// `settings`, auto replaced: by components where the sequence encoder's answers to whole cells show no groups (mean
/// silhouette of K-means into 8 clusters, at most 10,000 cells drawn by seed, below 0.15), else by sequence.
/// Contrastive training tells every cell from all others; where types differ by less than cells do, its answers spread
/// evenly (silhouette about 0.05; 0.3 to 0.6 on data it suits) and principal components tell more. Labels have no part
/// in it. The same on any number of ranks but for rounding of the answers. A collective.
TargetSettings decide_guidance(const TargetSettings& settings, const SequenceEncoders& encoders,
                               const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                               RowRange rows, std::int64_t cells, std::uint64_t seed, Collectives& ranks);

}  // namespace masksc
