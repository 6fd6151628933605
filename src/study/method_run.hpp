// One method with one seed on one rank: its features, its clusters, and what they are worth.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "masksc/baselines/baseline.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/preprocess/expression.hpp"
#include "masksc/preprocess/settings.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/pipeline.hpp"

namespace masksc {

/// mask-sc itself, and with the paper's recipe, among the methods.
constexpr const char* our_name = "mask-sc";
constexpr const char* paper_name = "mask-sc-paper";

/// All cells of a prepared file under one preparation, as methods and scores need them.
struct ComparedData {
  Expression expression;
  CsrMatrix counts;           // [cells, chosen genes], in the order of expression's columns
  std::vector<float> totals;  // counts of each cell over all genes
  [[nodiscard]] BaselineInput input() const { return {expression, counts, totals}; }
};

/// Reads and prepares all cells on this rank alone. Throws UserError.
ComparedData read_compared(const std::filesystem::path& prepared, const PreparationSettings& preparation);

/// What all methods of one comparison share.
struct ComparedCells {
  std::filesystem::path prepared;
  Labels labels;              // empty without labels
  std::string label_column;   // their name
  std::int64_t clusters = 0;  // the given number, 0 where there is none
  DenseMatrix common_space;   // 50 principal components of the shared preparation
  std::vector<std::string> names;
};

/// Features and labels (with the number given, if any, then with the number estimated) of a method.
struct MethodOutcome {
  BaselineResult found;
  std::vector<std::string> clusters_in;  // of mask-sc, one beside each of found.labels: features or components
  double seconds = 0;
  std::int64_t peak_memory = 0;  // bytes of this process while the method ran
};

/// Calls `work` and measures it. Memory is that of the whole process: the cells are part of it.
MethodOutcome measured(const std::function<MethodOutcome()>& work);

/// Runs mask-sc's whole pipeline into options.output, then clusters its features. A collective of one rank. Seconds and
/// memory are for `measured` to add.
MethodOutcome run_mask_sc(const RunOptions& options, const RunPlace& place, const BaselineSettings& settings);

/// The scores of an outcome: see comparison_columns(); of mask-sc clusters_in too. Cells without a label don't count.
Json score(const MethodOutcome& outcome, const ComparedCells& cells, const std::function<void()>& poll);

/// FOLDER/result.h5ad of a baseline: obs "cluster" and "cluster_auto", obsm "X_features".
void write_method_result(const std::filesystem::path& path, const MethodOutcome& outcome, const ComparedCells& cells);

}  // namespace masksc
