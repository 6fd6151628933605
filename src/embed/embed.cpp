#include "masksc/embed/embed.hpp"

#include <algorithm>

#include "masksc/core/on_threads.hpp"
#include "masksc/model/contrastive.hpp"

namespace masksc {

void embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                 at::Device device, EmbeddingProgress& progress, int world_size,
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
  for (int rank = 0; rank < world_size; ++rank)
    most = std::max(most, tiles_of(rows_of_rank(expression.cells, rank, world_size)));
  for (std::int64_t round = 0; round < most; round += threads) {
    on_threads(threads, std::clamp<std::int64_t>(own - round, 0, threads), [&](std::int64_t number, int /*thread*/) {
      if (threads > 1) at::init_num_threads();
      embed(round + number);
    });
    if (after_round)
      after_round(std::clamp((first + round + threads) * tile_rows - mine.begin, std::int64_t{0}, mine.size()));
  }
}

DenseMatrix sequence_answers(const SequenceEncoder& whole, const ForEachTile& for_each_tile,
                             std::span<const std::int64_t> mine) {
  DenseMatrix answers(std::ssize(mine), whole.shape().outputs);
  for_each_tile([&](const Tile& tile) {
    const at::NoGradGuard no_gradient;
    const auto first = std::lower_bound(mine.begin(), mine.end(), tile.rows.begin);
    const auto last = std::lower_bound(first, mine.end(), tile.rows.end);
    if (first == last) return;
    std::vector<std::int64_t> places(first, last);  // in the tile
    for (std::int64_t& place : places) place += tile.first_used - tile.rows.begin;
    const at::Tensor cells = tile.patches.index_select(0, at::tensor(places).to(tile.patches.device()));
    const at::Tensor found = unit_length(whole.answer(cells.flatten(1)).squeeze(1)).to(at::kFloat).cpu().contiguous();
    std::copy_n(found.data_ptr<float>(), found.numel(), answers.row(first - mine.begin()).begin());
  });
  return answers;
}

std::vector<float> global_attention(const MaskedAutoencoder& model, const std::vector<float>& cell) {
  const at::NoGradGuard no_gradient;
  const std::int64_t patch = model.shape().patch_genes;
  const at::Tensor patches = at::tensor(at::ArrayRef<float>(cell)).view({1, -1, patch});
  const at::Tensor weights = model.last_attention(patches.to(model.parameters().values().device()))
                                 .to(at::kFloat)
                                 .mean(1)
                                 .select(1, 0)
                                 .squeeze(0)
                                 .cpu()
                                 .contiguous();
  return {weights.data_ptr<float>() + 1, weights.data_ptr<float>() + weights.numel()};
}

}  // namespace masksc
