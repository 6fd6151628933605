// Maps of the cells in two dimensions, for looking at: t-SNE and UMAP of their features.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/types.hpp"

namespace masksc {

/// Of more cells a sample of so many is mapped (sample_rows by seed 0); the others are placed among them.
constexpr std::int64_t most_mapped_cells = 100'000;

struct CellMaps {
  DenseMatrix tsne;  // [cells, 2]
  DenseMatrix umap;  // [cells, 2]
};

/// t-SNE (van der Maaten 2014, by qdtsne: perplexity 30, 1000 iterations) and UMAP (McInnes 2018, by umappp: 15
/// neighbours, least distance 0.1) of `features` [N, D]; neighbours are exact. Above 10,000 cells t-SNE takes near
/// ones as one in its repulsion. Keyed by `seed`; the same values for any number of `threads`.
/// With fewer than 4 cells every point is at 0. Throws InvariantError for values that aren't finite.
CellMaps map_cells(const DenseMatrix& features, std::uint64_t seed, int threads);

/// Where cells with `features` [N, D] are on the maps of `mapped` [M, D] others: at the mean of the 3 nearest of them
/// (hierarchical navigable small worlds), weighted by 1 / distance; a cell at distance 0 from one is where that one is.
/// The same values for any number of `threads`. Throws InvariantError when sizes do not fit.
CellMaps place_cells(const DenseMatrix& features, const DenseMatrix& mapped, const CellMaps& maps, int threads);

/// Methods, parameters and seed of maps of `cells` cells, in words.
std::string describe_maps(std::int64_t cells, std::uint64_t seed);

}  // namespace masksc
