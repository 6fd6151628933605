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

Standardize decide_standardization(Standardize standardize, bool allow_noninteger, Expression& expression,
                                   Collectives& ranks) {
  if (standardize != Standardize::automatic) return standardize;
  if (allow_noninteger) return Standardize::yes;
  const std::vector<std::int64_t> sample = sample_rows(expression.cells, kSampledCells, kSeed);
  if (std::ssize(sample) <= 2 * kTrialClusters) return Standardize::yes;
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
  if (groups >= kShowsGroups) return Standardize::yes;
  log::info(
      "standardisation: principal components of the genes' log values show no groups of cells (silhouette {:.2f}); "
      "Pearson residuals of the counts are taken",
      groups);
  take_residuals(expression, ranks);
  return Standardize::residuals;
}

std::string name_of(Standardize standardize) {
  PreparationSettings settings;
  settings.standardize = standardize;
  OptionTable table;
  describe(table, settings);
  return table.find("standardize")->get();
}

}  // namespace masksc
