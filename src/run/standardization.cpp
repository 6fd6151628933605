#include "masksc/run/standardization.hpp"

#include <algorithm>
#include <vector>

#include "masksc/cluster/partition.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

constexpr std::int64_t kComponents = 20;
constexpr std::uint64_t kSeed = 0;  // not --seed: all seeds of a comparison see the same values

DenseMatrix first_columns(const DenseMatrix& matrix, std::int64_t columns) {
  DenseMatrix first(matrix.rows, std::min(matrix.columns, columns));
  for (std::int64_t row = 0; row < first.rows; ++row)
    std::copy_n(matrix.row(row).begin(), first.columns, first.row(row).begin());
  return first;
}

}  // namespace

void decide_standardization(const RunOptions& options, RunInput& input, at::Device device, Collectives& ranks) {
  Expression& expression = input.expression;
  input.components = cell_components(expression, device, ranks);
  if (options.preparation.standardize != Standardize::automatic || options.counts.allow_noninteger) return;
  const std::vector<std::int64_t> sample = sample_rows(expression.cells, kJudgedCells, kSeed);
  const DealtSample judged = take_rows(input.components.scores, expression.rows, sample);
  const GroupsFound groups =
      find_groups(first_columns(judged.local_rows, kComponents), judged.rows, std::ssize(sample), kSeed, ranks);
  if (groups.shown) return;
  log::info(
      "standardisation: principal components of the genes' log values show no groups of cells (silhouette {:.2f}); "
      "Pearson residuals of the counts are taken",
      groups.silhouette);
  take_residuals(expression, ranks);
  input.components = cell_components(expression, device, ranks);
}

const char* standardized_as(const RunOptions& options, const Expression& expression) {
  if (expression.scaling.counts) return "residuals";
  return options.preparation.standardize == Standardize::no ? "no" : "yes";
}

}  // namespace masksc
