#include "masksc/embed/embed.hpp"

#include <algorithm>
#include <mutex>

#include "masksc/core/on_threads.hpp"

namespace masksc {
namespace {

constexpr std::int64_t tile_rows = 128;

/// Tiles that hold some of `rows`.
std::int64_t tiles_of(RowRange rows) {
  return rows.size() <= 0 ? 0 : (rows.end + tile_rows - 1) / tile_rows - rows.begin / tile_rows;
}

/// The tile that begins at global row `start`, with this rank's rows of it.
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

}  // namespace

void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const std::function<void(const Tile&)>& work, int threads, std::int64_t every) {
  const std::int64_t first = expression.rows.begin / tile_rows;
  on_threads(threads, tiles_of(expression.rows), [&](std::int64_t number, int thread) {
    if ((first + number) % every != 0) return;
    if (threads > 1) at::init_num_threads();  // LibTorch's setting reaches a new thread of ours only when asked for
    Tile tile = make_tile(expression, densifier, patch_genes, device, (first + number) * tile_rows);
    tile.thread = thread;
    work(tile);
  });
}

void embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                 at::Device device, EmbeddingProgress& progress, int ranks,
                 const std::function<void(std::int64_t done)>& after_round, int threads) {
  const std::int64_t columns = model.shape().cell_features();
  const RowRange mine = expression.rows;
  const std::int64_t first = mine.begin / tile_rows;
  const std::int64_t own = tiles_of(mine);
  const auto embed = [&](std::int64_t number) {
    const at::NoGradGuard no_gradient;
    const std::int64_t start = (first + number) * tile_rows;
    const auto begin = progress.done.begin() + (std::max(start, mine.begin) - mine.begin);
    const auto end = progress.done.begin() + (std::min(start + tile_rows, mine.end) - mine.begin);
    if (std::find(begin, end, std::uint8_t{0}) == end) return;
    const Tile tile = make_tile(expression, densifier, model.shape().patch_genes, device, start);
    const at::Tensor used =
        model.features(tile.patches).narrow(0, tile.first_used, tile.rows.size()).cpu().contiguous();
    std::copy_n(used.data_ptr<float>(), used.numel(),
                progress.values.values.data() + (begin - progress.done.begin()) * columns);
    std::fill(begin, end, std::uint8_t{1});
  };
  std::int64_t most = 0;
  for (int rank = 0; rank < ranks; ++rank) most = std::max(most, tiles_of(rows_of_rank(expression.cells, rank, ranks)));
  for (std::int64_t round = 0; round < most; round += threads) {
    on_threads(threads, std::clamp<std::int64_t>(own - round, 0, threads), [&](std::int64_t number, int /*thread*/) {
      if (threads > 1) at::init_num_threads();
      embed(round + number);
    });
    if (after_round)
      after_round(std::clamp((first + round + threads) * tile_rows - mine.begin, std::int64_t{0}, mine.size()));
  }
}

}  // namespace masksc
