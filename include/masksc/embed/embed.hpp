// One feature vector a cell: the mean of the encoded patch tokens, no mask (stage 3). Each cell once.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

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

/// The features of this rank's cells as far as they are known.
struct EmbeddingProgress {
  EmbeddingProgress(std::int64_t rows, std::int64_t dim)
      : values(rows, dim), done(static_cast<std::size_t>(rows), std::uint8_t{0}) {}
  DenseMatrix values;              // [local cells, D]
  std::vector<std::uint8_t> done;  // [local cells] 1 where the features are there
};

/// Fills in the features that are missing, a tile a round; `after_round(rows done)` is called equally often on every
/// rank, so it may hold collectives. Not a collective itself.
void embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                 at::Device device, EmbeddingProgress& progress, int ranks,
                 const std::function<void(std::int64_t done)>& after_round = {});

}  // namespace masksc
