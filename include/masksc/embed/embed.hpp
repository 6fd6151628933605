// One feature vector a cell: the mean of the encoded patch tokens, no mask (stage 3). Each cell once.
#pragma once

#include <functional>

#include "masksc/core/types.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

/// Calls `work` for this rank's cells in tiles aligned to global rows. A cell's place in its tile, and so the bits of
/// what a model makes of it, does not depend on the number of ranks. Up to `threads` threads call it at the same time.
void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const std::function<void(const Tile&)>& work, int threads = 1);

/// [local cells, D] float32. Calls `poll` once a tile, one at a time. Up to `threads` threads embed tiles at the same
/// time: LibTorch's own threads should then be 1. Not a collective.
DenseMatrix embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                        at::Device device, const std::function<void(std::int64_t done)>& poll = {}, int threads = 1);

}  // namespace masksc
