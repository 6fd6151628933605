// Starting centres by greedy k-means++ (Arthur and Vassilvitskii 2007; several candidates a step, as scikit-learn).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "tiled_rows.hpp"

namespace masksc::detail {

/// `clusters` rows [clusters, columns] drawn by (seed, restart) and global row: each from 2 + log(clusters) candidates,
/// drawn in proportion to the squared distance to the centres so far, the one that lowers the sum of those most.
/// `poll` is called once a centre. A collective; the same on every rank, whatever the dealing.
std::vector<float> draw_centres(const TiledRows& data, std::int64_t clusters, std::uint64_t seed, std::uint32_t restart,
                                Collectives& ranks, const std::function<void()>& poll);

/// The rows with global numbers `wanted` [wanted, columns], on every rank. A collective.
std::vector<float> fetch_rows(const TiledRows& data, const std::vector<std::int64_t>& wanted, Collectives& ranks);

}  // namespace masksc::detail
