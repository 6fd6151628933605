// One feature vector a cell, without a mask (stage 3; MaskedAutoencoder::features). Each cell once.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

/// Calls `work` for this rank's cells in tiles aligned to global rows. A cell's place in its tile, and so the bits of
/// what a model makes of it, does not depend on the number of ranks. Up to `threads` threads call it at the same time.
/// `every` above 1: only one of so many tiles, the same ones on any number of ranks.
void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const std::function<void(const Tile&)>& work, int threads = 1,
                   std::int64_t every = 1);

/// The features of this rank's cells as far as they are known.
struct EmbeddingProgress {
  EmbeddingProgress(std::int64_t rows, std::int64_t dim)
      : values(rows, dim), done(static_cast<std::size_t>(rows), std::uint8_t{0}) {}
  DenseMatrix values;              // [local cells, D]
  std::vector<std::uint8_t> done;  // [local cells] 1 where the features are there
};

/// Fills in the features that are missing, in rounds of `threads` tiles at the same time (the same number on all ranks;
/// LibTorch's own threads should be 1 when it is above 1). `after_round(rows done)` is called equally often on every
/// one of the `ranks`, so it may hold collectives. Not a collective itself.
void embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                 at::Device device, EmbeddingProgress& progress, int ranks,
                 const std::function<void(std::int64_t done)>& after_round = {}, int threads = 1);

}  // namespace masksc
