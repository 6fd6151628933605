// What guides stage 2 where --guidance-target is auto.
#pragma once

#include <cstdint>

#include "masksc/model/targets.hpp"
#include "masksc/run/stages.hpp"

namespace masksc {

/// `settings`, auto replaced. Contrastive training tells every cell from all others; where types differ by less than
/// cells do, its answers spread evenly (silhouette about 0.05; 0.3 to 0.6 on data it suits), and of many types it tells
/// the large ones. So whole cells are judged, at most 10,000, drawn by seed:
///   components  where the sequence encoder's answers show no groups (find_groups)
///   both        where the answers show weaker ones than the components: of 8, 16 or 32 clusters (the best of three
///               answers of K-means), as many as these tell apart best, the answers' silhouette is under 0.75 of theirs
///   sequence    elsewhere
/// Labels have no part in it. The same on any number of ranks but for rounding of the answers. A collective.
TargetSettings decide_guidance(const TargetSettings& settings, const SequenceEncoders& encoders,
                               const ForEachTile& for_each_tile, const RunInput& input, std::uint64_t seed,
                               Collectives& ranks);

}  // namespace masksc
