// Principal components of the cells' gene matrices: whole-cell features that stage 2 can be guided to, and that tell
// whether clusters of learnt features are clusters of the cells.
#pragma once

#include <cstdint>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

/// So many cells are enough for the covariance, whose cost is quadratic in genes.
inline constexpr std::int64_t kComponentCells = 65536;

/// The cells' mean, and the directions of their first principal components.
struct ComponentAxes {
  at::Tensor mean;      // [genes]
  at::Tensor loadings;  // [genes, count]: eigenvectors of the covariance, by variance, the largest entry positive
};

/// Of the cells' `genes` values (a tile's patches, flat): a cell's components are its values, less the mean, times the
/// loadings. `for_each_tile` calls back with tiles of this rank's cells, each cell once, of all ranks about
/// kComponentCells at most. Values are at most 16 (of genes standardised or log-transformed). Products are taken of
/// values rounded to 1/4096 and their sums are exact, so that the bits do not depend on ranks or threads. A collective.
ComponentAxes component_axes(const ForEachTile& for_each_tile, std::int64_t genes, std::int64_t count,
                             Collectives& ranks, at::Device device);

}  // namespace masksc
