// A rank's cells in tiles: groups of rows whose place in them does not depend on the number of ranks, and so neither do
// the bits of what a model makes of them.
#pragma once

#include <functional>

#include "masksc/core/types.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// Always tile_rows rows, of which the `rows.size()` from `first_used` on belong to global rows `rows`; the others are
/// zero.
struct Tile {
  at::Tensor patches;  // [tile_rows, G, P*P]
  std::int64_t first_used = 0;
  RowRange rows;
  int thread = 0;  // of several that work on tiles at the same time
};
constexpr std::int64_t tile_rows = 128;

/// Tiles that hold some of `rows`.
std::int64_t tiles_of(RowRange rows);

/// The tile that begins at global row `start`, a multiple of tile_rows, with this rank's rows of it.
Tile make_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes, at::Device device,
               std::int64_t start);

using TileWork = std::function<void(const Tile&)>;
/// Calls it with tiles of this rank's cells.
using ForEachTile = std::function<void(const TileWork&)>;

/// Calls `work` for this rank's cells in tiles aligned to global rows. Up to `threads` threads call it at the same
/// time. `every` above 1: only one of so many tiles, the same ones on any number of ranks.
void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const TileWork& work, int threads = 1, std::int64_t every = 1);

}  // namespace masksc
