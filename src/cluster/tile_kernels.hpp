// The inner loops of K-means on tiles of rows: nearest centre, squared distances.
#pragma once

#include <cstdint>
#include <vector>

#include "tiled_rows.hpp"

namespace masksc::detail {

constexpr std::int64_t centre_group = 4;  // centres compared with a tile at once

/// Centres packed for the kernels: [groups, columns, centre_group]; those that fill the last group are never nearest.
struct PackedCentres {
  std::int64_t groups = 0;
  std::vector<float> values;
  std::vector<float> half_norms;  // |c|^2 / 2 [groups * centre_group]; infinite for a filling one
};

/// centres: [count, columns], scaled as TiledRows.
PackedCentres pack_centres(const std::vector<float>& centres, std::int64_t count, std::int64_t columns);

/// labels[i] = the centre nearest to row i of the tile (the first of equals), for all tile_rows rows.
/// Compares x.c - |c|^2/2 in float32.
void nearest_centres(const float* tile, std::int64_t columns, const PackedCentres& centres, std::int32_t* labels);

/// squared[c * stride + i] = |row i of the tile - centre c|^2 for all centres of all groups, in float32.
void squared_distances(const float* tile, std::int64_t columns, const PackedCentres& centres, std::int64_t stride,
                       float* squared);

}  // namespace masksc::detail
