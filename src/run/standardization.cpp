#include "masksc/run/standardization.hpp"

#include <algorithm>
#include <vector>

#include "masksc/cluster/partition.hpp"
#include "masksc/core/log.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/dist/root_work.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/model/components.hpp"
#include "masksc/run/guidance.hpp"

namespace masksc {
namespace {

constexpr std::int64_t kSampledCells = 2048;
constexpr std::int64_t kComponents = 20;
constexpr std::int64_t kBlock = 1024;  // rows read at a time
constexpr std::uint64_t kSeed = 0;     // not --seed: all seeds of a comparison see the same values

/// What the model sees of those of this rank's cells that are in `sample` (ascending), one after the other.
std::vector<float> sampled_values(const Expression& expression, const std::vector<std::int64_t>& sample) {
  const Densifier densifier(expression);
  std::vector<float> values;
  const RowRange mine = expression.rows;
  for (std::int64_t start = mine.begin; start < mine.end; start += kBlock) {
    const RowRange block = {start, std::min(start + kBlock, mine.end)};
    const auto first = std::lower_bound(sample.begin(), sample.end(), block.begin);
    const auto last = std::lower_bound(first, sample.end(), block.end);
    if (first == last) continue;
    const ExpressionRows rows(expression, block);
    std::for_each(first, last, [&](std::int64_t cell) {
      densifier.append(rows.indices(cell), rows.values(cell), values, expression.batch(cell));
    });
  }
  return values;
}

}  // namespace

void decide_standardization(const RunOptions& options, Expression& expression, Collectives& ranks) {
  if (options.preparation.standardize != Standardize::automatic || options.counts.allow_noninteger) return;
  const std::vector<std::int64_t> sample = sample_rows(expression.cells, kSampledCells, kSeed);
  if (std::ssize(sample) <= 2 * kTrialClusters) return;
  std::vector<float> mine;
  together(ranks, [&] { mine = sampled_values(expression, sample); });
  const std::vector<float> all = ranks.gather_varied(std::span<const float>(mine));
  double groups = 0;
  on_root_alone(ranks, [&] {
    const DenseMatrix components = principal_scores(all, std::ssize(sample), kComponents);
    groups =
        kmeans_silhouette(components, {0, components.rows}, components.rows, kTrialClusters, kSeed, *single_rank());
  });
  ranks.broadcast(std::span(&groups, 1));
  if (groups >= kShowsGroups) return;
  log::info(
      "standardisation: principal components of the genes' log values show no groups of cells (silhouette {:.2f}); "
      "Pearson residuals of the counts are taken",
      groups);
  take_residuals(expression, ranks);
}

const char* standardized_as(const RunOptions& options, const Expression& expression) {
  if (expression.scaling.counts) return "residuals";
  return options.preparation.standardize == Standardize::no ? "no" : "yes";
}

}  // namespace masksc
