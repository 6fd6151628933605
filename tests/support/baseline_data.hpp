// Simulated groups as a comparison hands them to its methods.
#pragma once

#include <memory>
#include <vector>

#include "masksc/baselines/baseline.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/simulate/splatter.hpp"

namespace masksc {

/// What BaselineInput refers to, and the groups that a method should find.
struct BaselineData {
  CsrMatrix counts;
  std::vector<float> totals;
  Expression expression;
  std::vector<std::int32_t> groups;

  [[nodiscard]] BaselineInput input() const { return {expression, counts, totals}; }
};

/// Cells of well separated groups (twice the default log factors of differential expression) with all their genes that
/// have counts; `side` x `side` of the most variable genes when it is not 0.
inline BaselineData simulated_baseline_data(SimulationSettings simulation, std::int64_t side = 0) {
  const std::unique_ptr<Collectives> alone = single_rank();
  BaselineData data;
  const RowRange rows{0, simulation.cells};
  const CsrMatrix all = simulate_cells(simulation, simulate_genes(simulation), rows, &data.groups);
  for (const double total : cell_totals(all)) data.totals.push_back(static_cast<float>(total));
  std::vector<std::string> names;
  for (std::int64_t gene = 0; gene < all.columns; ++gene) names.push_back(std::to_string(gene));
  PreparationSettings settings;
  settings.patch = "1";
  settings.matrix = side > 0 ? std::to_string(side) + "x" + std::to_string(side) : "auto";
  data.expression = prepare_expression(all, simulation.cells, rows, names, {}, settings, *alone);
  data.counts = select_columns(all, data.expression.genes);
  return data;
}

/// 300 cells of 3 groups of unequal size, 600 genes.
inline BaselineData simulated_baseline_data() {
  SimulationSettings simulation;
  simulation.cells = 300;
  simulation.genes = 600;
  simulation.groups = "150,90,60";
  simulation.seed = 5;
  simulation.de_location = 0.8;
  return simulated_baseline_data(simulation);
}

}  // namespace masksc
