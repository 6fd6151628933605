// The methods that mask-sc is compared with, behind one interface: expression in; features and labels out.
// A method runs on one rank with all cells; a comparison spreads (method, seed) over the ranks. One file a method.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/preprocess/settings.hpp"

namespace masksc {

/// The cells as every method gets them; rows are the same cells throughout.
struct BaselineInput {
  const Expression& expression;   // all cells: log-normalised, the chosen genes, and how they are standardised
  const CsrMatrix& counts;        // [cells, chosen genes], columns as in expression.values
  std::span<const float> totals;  // counts of each cell over all genes of the file
};

struct BaselineSettings {
  std::uint64_t seed = 0;
  /// Numbers of clusters to return labels for; 0: estimated, by the method's own way where it has one, otherwise as
  /// masksc_train --clusters auto does on the method's features.
  std::vector<std::int64_t> clusters = {0};
  /// Another data set, for methods that learn from one (scrna-nmf; genes are matched by name); null: none.
  const Expression* source = nullptr;
  /// Called often (every iteration, epoch or block); may throw to stop.
  std::function<void()> poll = [] {};
};

struct BaselineResult {
  DenseMatrix features;                           // [cells, any]: the space that the method clusters in
  std::vector<std::vector<std::int32_t>> labels;  // one a number of clusters asked for: clusters from 0, by size
};

struct Baseline {
  std::string name;        // as in tables and --methods
  std::string title;       // one line: what it computes, and of which paper
  std::string source;      // the paper
  bool stochastic = true;  // whether the seed changes anything
  /// The preparation that its authors used (comparisons with --preparation published).
  PreparationSettings published;
  BaselineResult (*run)(const BaselineInput& input, const BaselineSettings& settings) = nullptr;
};

/// All of them, in the order of tables.
const std::vector<Baseline>& baselines();
/// Throws UserError that lists the names.
const Baseline& find_baseline(const std::string& name);

}  // namespace masksc
