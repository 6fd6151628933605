#include "standardization.hpp"

#include <utility>

#include "judged_cells.hpp"
#include "masksc/cluster/groups.hpp"
#include "masksc/core/log.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/preprocess/scaling.hpp"

namespace masksc {
namespace {

constexpr std::uint64_t kSeed = 0;  // not --seed: all seeds of a comparison see the same values
/// Residuals are taken where their groups' silhouette is so many times that of log values: it was 1.3 to 2 times where
/// they gain, at most 1.2 times where they bring nothing or cost (benchmarks/results/quality.md).
constexpr double kClearer = 1.2;

GroupsFound groups_in(const CellComponents& components, const Expression& expression, Collectives& ranks) {
  const DealtSample judged = judged_components(components, expression, kSeed);
  return find_groups(judged.dealt(), kSeed, ranks);
}

}  // namespace

void decide_standardization(const RunOptions& options, const std::string& recorded, RunInput& input, at::Device device,
                            Collectives& ranks) {
  Expression& expression = input.expression;
  const bool decides = options.preparation.standardize == Standardize::automatic && !options.counts.allow_noninteger;
  if (decides && recorded == "residuals") expression.scaling = residual_scaling(expression, ranks);
  input.components = cell_components(expression, device, ranks);
  if (!decides) return;
  if (recorded == "residuals" || recorded == "yes") {
    log::info("standardisation: {} are taken, as this run began",
              expression.scaling.counts ? "Pearson residuals of the counts" : "log values");
    return;
  }
  const GroupsFound of_logs = groups_in(input.components, expression, ranks);
  // Few, clear groups, seen in 4 or 2 clusters: 8 clusters of residuals would not compare.
  if (of_logs.shown && of_logs.silhouette < kShowsGroups) return;
  GeneScaling log_scaling = std::exchange(expression.scaling, residual_scaling(expression, ranks));
  CellComponents components = cell_components(expression, device, ranks);
  const GroupsFound of_residuals = groups_in(components, expression, ranks);
  const bool logs_stay = of_logs.shown && of_residuals.silhouette <= kClearer * of_logs.silhouette;
  if (logs_stay)
    expression.scaling = std::move(log_scaling);
  else
    input.components = std::move(components);
  log::info("standardisation: log values show {} (silhouette {:.2f}, residuals {:.2f}); {} are taken",
            logs_stay       ? "groups of cells"
            : of_logs.shown ? "weaker groups of cells than residuals"
                            : "no groups of cells",
            of_logs.silhouette, of_residuals.silhouette, logs_stay ? "they" : "Pearson residuals of the counts");
}

const char* standardized_as(const RunOptions& options, const Expression& expression) {
  if (expression.scaling.counts) return "residuals";
  return options.preparation.standardize == Standardize::no ? "no" : "yes";
}

}  // namespace masksc
