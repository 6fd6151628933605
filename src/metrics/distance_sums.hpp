// The inner loop of the silhouette: sums of Euclidean distances from a few rows to many.
#pragma once

#include <cstdint>

namespace masksc::detail {

constexpr std::int64_t group_rows = 4;  // rows whose sums are computed together, packed [columns, group_rows]
constexpr std::int64_t tile_rows = 8;   // rows that they are compared with at once, packed [columns, tile_rows]

/// sums[r] += sum over the rows t of `tiles` tiles of weights[t] * |group row r - tile row t|.
/// The order of the operations on a row of the group doesn't depend on its neighbours.
void add_distances(const double* group, const double* tile, const double* weights, std::int64_t tiles,
                   std::int64_t columns, double* sums);

}  // namespace masksc::detail
