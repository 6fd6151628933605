// One data set, many methods, several seeds: the table that a claim to be better rests on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/options.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/pipeline.hpp"
#include "masksc/study/points.hpp"

namespace masksc {

/// What every method starts from: mask-sc's preparation, or the one that its authors used.
enum class ComparedPreparation { shared, published };

struct ComparisonSettings {
  std::string methods = "all";  // or names, separated by commas
  std::int64_t seeds = 1;       // --seed and those after it
  ComparedPreparation preparation = ComparedPreparation::shared;
  std::string nmf_source;  // counts of the data set that scrna-nmf learns from; "": half of the cells
  bool list = false;       // prints the methods and stops
};

void describe(OptionTable& table, ComparisonSettings& settings);

/// A method of the comparison: a baseline, or mask-sc itself.
struct ComparedMethod {
  std::string name;
  std::string title;
  std::string source;
};

/// All methods, in the order of tables: the baselines, mask-sc, and mask-sc-paper, which "all" leaves out.
std::vector<ComparedMethod> compared_methods();
/// Those that `methods` names. Throws UserError for unknown names (with the nearest known one) and repeated ones.
std::vector<ComparedMethod> choose_methods(const std::string& methods);

/// The folder in points/ of a method with a seed.
std::string compared_point_name(const std::string& method, std::int64_t seed);

struct ComparisonOutcome {
  Json table;                      // comparison.json, on rank 0
  ExitCode code = ExitCode::done;  // that of the worst failure of a method
};

/// Runs every method with every seed, one rank each, and writes comparison.json, .csv and .md into options.output.
/// `options` are those of masksc_train: input, labels and preparation of all methods, the recipe of mask-sc; `paper`
/// the same with the paper's recipe; `command`, which goes into the table, does it all again.
/// A collective. Throws as run_points, and UserError for input that does not fit.
ComparisonOutcome compare(const RunOptions& options, const RunOptions& paper, const ComparisonSettings& settings,
                          const std::string& command, const RunPlace& place);

}  // namespace masksc
