// Non-negative factorisation against scikit-learn's and scipy's (tests/golden/classical.py).
#include "../../../src/baselines/nmf.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "baseline_data.hpp"
#include "classical_golden.hpp"
#include "masksc/core/error.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc::detail {
namespace {

RowMatrix matrix(const Json& given, const char* key) {
  const auto values = given.at(key).get<std::vector<double>>();
  const Eigen::Index columns = given.at("components");
  return Eigen::Map<const RowMatrix>(values.data(), std::ssize(values) / columns, columns);
}

double furthest(const RowMatrix& a, const RowMatrix& b) { return (a - b).cwiseAbs().maxCoeff(); }

TEST(Nmf, IsScikitLearns) {
  for (const Json& given : classical_golden("nmf")) {
    const CsrMatrix x = sparse_of(golden_rows(given));
    NmfFactors factors{matrix(given, "w"), matrix(given, "h")};
    NmfSettings settings;
    settings.alpha = given.at("alpha");
    settings.tolerance = given.at("tolerance");
    EXPECT_EQ(improve(x, factors, settings, [] {}), given.at("iterations").get<std::int64_t>());
    EXPECT_LT(furthest(factors.weights, matrix(given, "found_w")), 1e-4);
    EXPECT_LT(furthest(factors.dictionary, matrix(given, "found_h")), 1e-4);
    const RowMatrix transferred = transferred_weights(x, matrix(given, "found_h"), [] {});
    EXPECT_LT(furthest(transferred, matrix(given, "transferred")), 1e-3);
  }
}

TEST(Nmf, StartsFromSingularVectors) {
  const Json given = classical_golden("nmf").at(0);
  const NmfFactors start = nmf_start(sparse_of(golden_rows(given)), given.at("components"), 4);
  EXPECT_LT(furthest(start.weights, matrix(given, "start_w")), 0.05);  // zeros become small
  EXPECT_LT(furthest(start.dictionary, matrix(given, "start_h")), 0.05);
  EXPECT_GT(start.weights.minCoeff(), 0);
  EXPECT_GT(start.dictionary.minCoeff(), 0);
}

TEST(ScrnaNmf, LearnsFromASourceWhoseGenesAreMatchedByName) {
  const BaselineData target = simulated_baseline_data();
  BaselineData source = simulated_baseline_data();
  Expression& other = source.expression;
  const std::int64_t genes = other.values.columns;
  std::vector<std::int64_t> reversed;  // every gene but the first, the other way round
  std::vector<std::string> names;
  for (std::int64_t gene = genes - 1; gene > 0; --gene) {
    reversed.push_back(gene);
    names.push_back(other.gene_names[static_cast<std::size_t>(gene)]);
  }
  other.values = select_columns(other.values, reversed);
  other.gene_names = names;
  const Baseline& method = find_baseline("scrna-nmf");
  const BaselineResult found = method.run(target.input(), {.clusters = {3}, .source = &other});
  EXPECT_GT(adjusted_rand_index(found.labels[0], target.groups), 0.95);
  const BaselineResult half = method.run(target.input(), {.clusters = {3}});
  EXPECT_NE(found.features.values, half.features.values);

  for (std::string& name : other.gene_names) name += " of another naming";
  EXPECT_THROW(method.run(target.input(), {.clusters = {3}, .source = &other}), UserError);
}

}  // namespace
}  // namespace masksc::detail
