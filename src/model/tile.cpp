#include "masksc/model/tile.hpp"

#include <algorithm>

#include "masksc/core/on_threads.hpp"

namespace masksc {

std::int64_t tiles_of(RowRange rows) {
  return rows.size() <= 0 ? 0 : (rows.end + tile_rows - 1) / tile_rows - rows.begin / tile_rows;
}

Tile make_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes, at::Device device,
               std::int64_t start) {
  const RowRange mine = expression.rows;
  const std::int64_t width = densifier.width();
  Tile tile;
  tile.rows = {std::max(start, mine.begin), std::min(start + tile_rows, mine.end)};
  tile.first_used = tile.rows.begin - start;
  at::Tensor host = at::zeros({tile_rows, width}, at::kFloat);
  const ExpressionRows rows(expression, tile.rows);
  for (std::int64_t row = tile.rows.begin; row < tile.rows.end; ++row)
    densifier.fill(rows.indices(row), rows.values(row),
                   {host.data_ptr<float>() + (row - start) * width, static_cast<std::size_t>(width)},
                   expression.batch(row));
  tile.patches = host.view({tile_rows, width / patch_genes, patch_genes}).to(device);
  return tile;
}

void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const TileWork& work, int threads, std::int64_t every) {
  const std::int64_t first = expression.rows.begin / tile_rows;
  on_threads(threads, tiles_of(expression.rows), [&](std::int64_t number, int thread) {
    if ((first + number) % every != 0) return;
    if (threads > 1) at::init_num_threads();  // LibTorch's setting reaches a new thread of ours only when asked for
    Tile tile = make_tile(expression, densifier, patch_genes, device, (first + number) * tile_rows);
    tile.thread = thread;
    work(tile);
  });
}

}  // namespace masksc
