#include "masksc/run/guidance.hpp"

#include <algorithm>
#include <vector>

#include "masksc/cluster/partition.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/model/contrastive.hpp"

namespace masksc {
namespace {

/// The encoder's unit-length answers to the sampled cells of this rank, in order.
DenseMatrix sampled_answers(const SequenceEncoder& whole,
                            const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
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

}  // namespace

TargetSettings decide_guidance(const TargetSettings& settings, const SequenceEncoders& encoders,
                               const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                               RowRange rows, std::int64_t cells, std::uint64_t seed, Collectives& ranks) {
  TargetSettings decided = settings;
  if (settings.guidance <= 0 || settings.guidance_target != GuidanceTarget::automatic) return decided;
  decided.guidance_target = GuidanceTarget::sequence;
  const std::vector<std::int64_t> chosen = sample_rows(cells, kJudgedCells, seed);
  const std::int64_t sampled = std::ssize(chosen);
  const auto first = std::lower_bound(chosen.begin(), chosen.end(), rows.begin);
  const auto last = std::lower_bound(chosen.begin(), chosen.end(), rows.end);
  const RowRange sampled_rows = {first - chosen.begin(), last - chosen.begin()};
  DenseMatrix answers;
  together(ranks, [&] { answers = sampled_answers(*encoders.whole, for_each_tile, std::span(first, last)); });
  const GroupsFound groups = find_groups(answers, sampled_rows, sampled, seed, ranks);
  if (groups.shown) return decided;
  decided.guidance_target = GuidanceTarget::components;
  log::info(
      "guidance: the sequence encoder's answers show no groups of cells (silhouette {:.2f}); principal components "
      "guide stage 2",
      groups.silhouette);
  return decided;
}

}  // namespace masksc
