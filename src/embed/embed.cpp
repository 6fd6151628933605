#include "masksc/embed/embed.hpp"

#include <algorithm>
#include <mutex>

#include "masksc/core/on_threads.hpp"

namespace masksc {
namespace {
constexpr std::int64_t tile_rows = 128;
}

void for_each_tile(const Expression& expression, const Densifier& densifier, std::int64_t patch_genes,
                   at::Device device, const std::function<void(const Tile&)>& work, int threads) {
  const RowRange mine = expression.rows;
  const std::int64_t width = densifier.width();
  const std::int64_t first = mine.begin / tile_rows;
  const std::int64_t count = mine.size() > 0 ? (mine.end + tile_rows - 1) / tile_rows - first : 0;
  on_threads(threads, count, [&](std::int64_t number, int thread) {
    if (threads > 1) at::init_num_threads();  // LibTorch's setting reaches a new thread of ours only when asked for
    const std::int64_t start = (first + number) * tile_rows;
    Tile tile;
    tile.thread = thread;
    tile.rows = {std::max(start, mine.begin), std::min(start + tile_rows, mine.end)};
    tile.first_used = tile.rows.begin - start;
    at::Tensor host = at::zeros({tile_rows, width}, at::kFloat);
    for (std::int64_t row = tile.rows.begin; row < tile.rows.end; ++row)
      densifier.fill(expression.values.row_indices(row - mine.begin), expression.values.row_values(row - mine.begin),
                     {host.data_ptr<float>() + (row - start) * width, static_cast<std::size_t>(width)});
    tile.patches = host.view({tile_rows, width / patch_genes, patch_genes}).to(device);
    work(tile);
  });
}

DenseMatrix embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                        at::Device device, const std::function<void(std::int64_t done)>& poll, int threads) {
  const std::int64_t dim = model.shape().model.dim;
  DenseMatrix embedding(expression.rows.size(), dim);
  std::mutex mutex;
  std::int64_t done = 0;
  const auto embed = [&](const Tile& tile) {
    const at::NoGradGuard no_gradient;
    const at::Tensor encoded = model.encode(tile.patches, {});
    const at::Tensor features = encoded.narrow(1, 1, model.shape().tokens()).mean(1);
    const at::Tensor used = features.narrow(0, tile.first_used, tile.rows.size()).cpu().contiguous();
    std::copy_n(used.data_ptr<float>(), used.numel(),
                embedding.values.data() + (tile.rows.begin - expression.rows.begin) * dim);
    const std::scoped_lock lock(mutex);
    done += tile.rows.size();
    if (poll) poll(done);
  };
  for_each_tile(expression, densifier, model.shape().patch_genes, device, embed, threads);
  return embedding;
}

}  // namespace masksc
