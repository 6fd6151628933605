#include "masksc/run/guidance.hpp"

#include <algorithm>
#include <vector>

#include "masksc/cluster/kmeans.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/metrics/silhouette.hpp"

namespace masksc {
namespace {

constexpr std::int64_t sampled_cells = 10'000;
constexpr std::int64_t trial_clusters = 8;
constexpr std::int64_t trial_restarts = 3;
constexpr double shows_groups = 0.15;  // silhouette

/// The encoder's unit-length answers to the sampled cells of this rank, in order.
DenseMatrix sampled_answers(const SequenceEncoder& whole,
                            const std::function<void(const std::function<void(const Tile&)>&)>& for_each_tile,
                            std::span<const std::int64_t> mine) {
  DenseMatrix answers(std::ssize(mine), whole.shape().outputs);
  for_each_tile([&](const Tile& tile) {
    const at::NoGradGuard no_gradient;
    auto next = std::lower_bound(mine.begin(), mine.end(), tile.rows.begin);
    if (next == mine.end() || *next >= tile.rows.end) return;
    const at::Tensor answer = whole.answer(tile.patches.flatten(1)).squeeze(1);
    const at::Tensor unit = (answer / answer.norm(2, -1, true).clamp_min(1e-12)).to(at::kFloat).cpu().contiguous();
    for (; next != mine.end() && *next < tile.rows.end; ++next) {
      const std::int64_t row = *next - tile.rows.begin + tile.first_used;
      std::copy_n(unit.data_ptr<float>() + row * answers.columns, answers.columns,
                  answers.row(next - mine.begin()).begin());
    }
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
  const std::vector<std::int64_t> chosen = sample_rows(cells, sampled_cells, seed);
  const std::int64_t sampled = std::ssize(chosen);
  if (sampled <= 2 * trial_clusters) return decided;
  const auto first = std::lower_bound(chosen.begin(), chosen.end(), rows.begin);
  const auto last = std::lower_bound(chosen.begin(), chosen.end(), rows.end);
  const RowRange sampled_rows = {first - chosen.begin(), last - chosen.begin()};
  DenseMatrix answers;
  together(ranks, [&] { answers = sampled_answers(*encoders.whole, for_each_tile, std::span(first, last)); });
  const KMeansResult found = kmeans(answers, sampled_rows, sampled,
                                    {.clusters = trial_clusters, .restarts = trial_restarts, .seed = seed}, ranks);
  const double groups = silhouette(answers, sampled_rows, sampled, found.labels, ranks).value_or(0);
  if (groups >= shows_groups) return decided;
  decided.guidance_target = GuidanceTarget::components;
  log::info(
      "guidance: the sequence encoder's answers show no groups of cells (silhouette {:.2f}); principal components "
      "guide stage 2",
      groups);
  return decided;
}

}  // namespace masksc
