// Principal components of the cells' gene matrices: whole-cell features that stage 2 can be guided to, and that tell
// whether clusters of learnt features are clusters of the cells.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

/// At most about this many cells (whole tiles, evenly spaced) enter the covariance; its cost is quadratic in genes.
inline constexpr std::int64_t kComponentCells = 65536;

/// The cells' mean, and the directions of their first principal components.
struct ComponentAxes {
  at::Tensor mean;      // [genes]
  at::Tensor loadings;  // [genes, count]: eigenvectors of the covariance, by variance, the largest entry positive
};

/// Of the cells' `genes` values (a tile's patches, flat): a cell's components are its values, less the mean, times the
/// loadings. `for_each_tile` calls back with tiles of this rank's cells, each cell once, maybe from several threads;
/// values are at most 16 (of genes standardised or log-transformed). Products are taken of values rounded to 1/4096 and
/// their sums are exact, so that the bits do not depend on ranks or threads. A collective.
ComponentAxes component_axes(const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                             std::int64_t cells, std::int64_t genes, std::int64_t count, Collectives& ranks,
                             at::Device device);

/// The first principal components [cells, count] of few cells: `values` [cells, genes], row by row. By the cells' own
/// products: for at most a few thousand of them. Fewer columns where there are fewer cells or genes. On one process.
DenseMatrix principal_scores(std::span<const float> values, std::int64_t cells, std::int64_t count);

}  // namespace masksc
