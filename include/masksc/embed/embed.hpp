// One feature vector a cell: the mean of the encoded patch tokens, no mask (stage 3). Each cell once.
#pragma once

#include <functional>

#include "masksc/core/types.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/masked_autoencoder.hpp"

namespace masksc {

/// Calls `work(patches, rows)` for this rank's cells in tiles aligned to global rows: patches [tile, G, P*P] always has
/// the same number of rows, of which the `used` ones belong to global rows `rows`. A cell's place in its tile, and so
/// the bits of what a model makes of it, does not depend on the number of ranks.
struct Tile {
  at::Tensor patches;  // [tile, G, P*P]
  std::int64_t first_used = 0;
  RowRange rows;
};
void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const std::function<void(const Tile&)>& work);

/// [local cells, D] float32. Calls `poll` once a tile. Not a collective.
DenseMatrix embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                        at::Device device, const std::function<void(std::int64_t done)>& poll = {});

}  // namespace masksc
