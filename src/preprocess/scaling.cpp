#include "masksc/preprocess/scaling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace masksc {
namespace {

constexpr float kClip = 10.0F;
constexpr double kOverdispersion = 0.01;  // 1 / theta

}  // namespace

MomentSums sums_of(MomentSums::Of of, const Expression& expression, std::int64_t batches, Collectives& ranks) {
  std::vector<std::int64_t> cells = {expression.cells};
  if (!expression.batch_of_cell.empty()) {
    cells.assign(static_cast<std::size_t>(batches), 0);
    for (const std::int32_t batch : expression.batch_of_cell) ++cells[static_cast<std::size_t>(batch)];
  }
  MomentSums sums(of, expression.values.columns, std::move(cells), expression.target_total);
  const auto add = [&](const CsrMatrix& block, RowRange rows) {
    std::span<const std::int32_t> batch(expression.batch_of_cell);
    if (!batch.empty())
      batch = batch.subspan(static_cast<std::size_t>(rows.begin), static_cast<std::size_t>(rows.size()));
    sums.add(block, batch);
  };
  const RowRange mine = expression.rows;
  together(ranks, [&] {
    if (!expression.streams()) return add(expression.values, mine);
    for (std::int64_t start = mine.begin; start < mine.end; start += scanned_rows) {
      const RowRange rows = {start, std::min(start + scanned_rows, mine.end)};
      add(expression.read(rows), rows);
    }
  });
  return sums;
}

GeneScaling standardisation(MomentSums& sums, std::int64_t batches, Collectives& ranks) {
  GeneScaling scaling{{}, {}, kClip, batches};
  for (const GeneMoments& moments : sums.finish(ranks))
    for (std::size_t gene = 0; gene < moments.mean.size(); ++gene) {
      scaling.mean.push_back(static_cast<float>(moments.mean[gene]));
      const double variance = moments.variance[gene];
      scaling.inverse_sd.push_back(variance > 0 ? static_cast<float>(1 / std::sqrt(variance)) : 1.0F);
    }
  return scaling;
}

GeneScaling residual_scaling(MomentSums& sums, std::int64_t batches, Collectives& ranks) {
  GeneScaling scaling{{}, {}, kClip, batches, true};
  for (const GeneMoments& moments : sums.finish(ranks))
    for (const double mean : moments.mean) {
      scaling.mean.push_back(static_cast<float>(mean));
      const double variance = mean + kOverdispersion * mean * mean;
      scaling.inverse_sd.push_back(variance > 0 ? static_cast<float>(1 / std::sqrt(variance)) : 1.0F);
    }
  return scaling;
}

GeneScaling scaling_of(const Expression& expression, std::int64_t batches, Standardize standardize,
                       Collectives& ranks) {
  const auto genes = static_cast<std::size_t>(expression.values.columns);
  if (standardize == Standardize::no)
    return {std::vector<float>(genes, 0.0F), std::vector<float>(genes, 1.0F), std::numeric_limits<float>::max()};
  if (expression.batch_of_cell.empty()) batches = 1;
  if (standardize == Standardize::residuals) {
    MomentSums sums = sums_of(MomentSums::Of::normalized_counts, expression, batches, ranks);
    return residual_scaling(sums, batches, ranks);
  }
  MomentSums sums = sums_of(MomentSums::Of::logs, expression, batches, ranks);
  return standardisation(sums, batches, ranks);
}

GeneScaling residual_scaling(const Expression& expression, Collectives& ranks) {
  return scaling_of(expression, expression.scaling.batches, Standardize::residuals, ranks);
}

}  // namespace masksc
