// Simulated counts with known groups: the model of Splatter (Zappia, Phipson, Oshlack, Genome Biology 2017).
// Every draw is keyed by gene or by cell, so that a range of cells is a pure function of the settings and the range.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/options.hpp"
#include "masksc/core/types.hpp"
#include "masksc/simulate/groups.hpp"

namespace masksc {

enum class Dropout { none, expression };

/// Defaults are Splatter's, but for the number of genes and the library size that goes with it, and for differential
/// expression: more genes of larger factors, as types of cells have, not states of one type.
struct SimulationSettings {
  std::int64_t cells = 1000;
  std::int64_t genes = 1000;
  std::string groups = "5";
  std::int64_t seed = 0;
  double mean_shape = 0.6;  // gamma distribution of the means of genes
  double mean_rate = 0.3;
  double outlier_probability = 0.05;  // genes that stand far above: log-normal multiples of the median mean
  double outlier_location = 4;
  double outlier_scale = 0.5;
  double library_location = 8;  // log-normal expected total of a cell
  double library_scale = 0.2;
  double de_probability = 0.2;       // of a gene to differ in a group, by a log-normal factor
  double de_down_probability = 0.5;  // that it is lower there, not higher
  double de_location = 0.4;
  double de_scale = 0.4;
  double bcv = 0.1;         // biological coefficient of variation common to all genes
  double bcv_degrees = 60;  // of the chi-square around its trend
  Dropout dropout = Dropout::none;
  double dropout_mid = 0;     // log expected count at which half is lost
  double dropout_shape = -1;  // slope of the logistic curve
};

void describe(OptionTable& table, SimulationSettings& settings);

/// Throws UserError.
void validate(const SimulationSettings& settings);

/// What is fixed before the cells are drawn.
struct SimulatedGenes {
  GroupPlan plan;
  std::vector<double> mean;       // [genes], outliers included
  std::vector<double> factors;    // [groups, genes] of differential expression; 1 for genes that do not differ
  std::vector<double> shares;     // [groups, genes] of the expected total of a cell; each row adds up to 1
  std::vector<double> variation;  // [genes], sqrt(degrees / chi-square): the gene's own multiple of the trended BCV
};

SimulatedGenes simulate_genes(const SimulationSettings& settings);

/// Counts of the cells `rows`, [rows, genes]; their groups (0-based) go to `groups` unless it is null.
CsrMatrix simulate_cells(const SimulationSettings& settings, const SimulatedGenes& genes, RowRange rows,
                         std::vector<std::int32_t>* groups = nullptr);

}  // namespace masksc
