// What guides stage 2 where --guidance-target is auto.
#pragma once

#include <cstdint>
#include <functional>

#include "masksc/model/targets.hpp"
#include "masksc/run/stages.hpp"

namespace masksc {

/// `settings`, auto replaced: by components where the sequence encoder's answers to whole cells show no groups
/// (find_groups among at most 10,000 cells, drawn by seed), else by sequence. Contrastive training tells every cell
/// from all others; where types differ by less than cells do, its answers spread evenly (silhouette about 0.05; 0.3 to
/// 0.6 on data it suits) and principal components tell more. Labels have no part in it. The same on any number of ranks
/// but for rounding of the answers. A collective.
TargetSettings decide_guidance(const TargetSettings& settings, const SequenceEncoders& encoders,
                               const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                               RowRange rows, std::int64_t cells, std::uint64_t seed, Collectives& ranks);

}  // namespace masksc
