// Principal components against scikit-learn's (tests/golden/classical.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "baseline_data.hpp"
#include "classical_golden.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/json.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/preprocess/scaling.hpp"

namespace masksc {
namespace {

using testing::FloatNear;
using testing::Pointwise;

Expression expression_of(const Json& given) {
  Expression expression;
  expression.cells = given.at("cells");
  expression.rows = {0, expression.cells};
  CsrMatrix& values = expression.values;
  values.rows = expression.cells;
  values.columns = given.at("genes");
  const auto x = given.at("x").get<std::vector<float>>();
  for (std::int64_t cell = 0; cell < values.rows; ++cell) {
    for (std::int64_t gene = 0; gene < values.columns; ++gene) {
      const float value = x[static_cast<std::size_t>(cell * values.columns + gene)];
      if (value == 0) continue;
      values.indices.push_back(static_cast<std::int32_t>(gene));
      values.values.push_back(value);
    }
    values.row_start.push_back(static_cast<std::int64_t>(values.values.size()));
  }
  expression.scaling.mean = given.at("mean").get<std::vector<float>>();
  expression.scaling.inverse_sd = given.at("inverse_sd").get<std::vector<float>>();
  expression.scaling.clip = given.at("clip");
  return expression;
}

TEST(PrincipalComponents, AreScikitLearns) {
  for (const Json& given : classical_golden("principal_components")) {
    SCOPED_TRACE(given.at("name").get<std::string>());
    const Expression expression = expression_of(given);
    const DenseMatrix found = principal_components(expression.values, expression.scaling, given.at("dimensions"));
    EXPECT_EQ(found.columns, given.at("dimensions").get<std::int64_t>());
    EXPECT_THAT(found.values, Pointwise(FloatNear(2e-4F), given.at("components").get<std::vector<float>>()));
  }
}

TEST(PrincipalComponents, AreAsManyAsThereCanBe) {
  const Json given = classical_golden("principal_components").at(2);  // 12 cells
  const Expression expression = expression_of(given);
  const DenseMatrix found = principal_components(expression.values, expression.scaling, 50);
  EXPECT_EQ(found.columns, 12);
  for (std::int64_t cell = 0; cell < found.rows; ++cell) {
    EXPECT_NEAR(found.row(cell)[11], 0, 1e-4);  // 12 cells span 11 dimensions
  }
}

TEST(PrincipalComponents, OfFewDistinctCells) {
  BaselineData data = simulated_baseline_data();
  CsrMatrix& values = data.expression.values;  // every cell becomes a copy of one of the first five
  CsrMatrix copies;
  copies.rows = values.rows;
  copies.columns = values.columns;
  for (std::int64_t cell = 0; cell < values.rows; ++cell) {
    const auto genes = values.row_indices(cell % 5);
    const auto row = values.row_values(cell % 5);
    copies.indices.insert(copies.indices.end(), genes.begin(), genes.end());
    copies.values.insert(copies.values.end(), row.begin(), row.end());
    copies.row_start.push_back(std::ssize(copies.values));
  }
  values = copies;
  const DenseMatrix found = principal_components(data.expression.values, data.expression.scaling);
  for (std::int64_t cell = 0; cell < found.rows; ++cell) {
    for (std::size_t c = 0; c < 50; ++c) EXPECT_NEAR(found.row(cell)[c], found.row(cell % 5)[c], 1e-3);
    EXPECT_NEAR(found.row(cell)[4], 0, 1e-3);  // five points span four dimensions
  }
}

TEST(PrincipalComponents, SeparateSimulatedGroups) {
  const BaselineData data = simulated_baseline_data();
  const DenseMatrix found = principal_components(data.expression.values, data.expression.scaling);
  EXPECT_EQ(found.columns, 50);
  const auto labels = labels_of_features(found, {.clusters = {3}});
  EXPECT_GT(adjusted_rand_index(labels[0], data.groups), 0.95);
  EXPECT_EQ(principal_components(data.expression.values, data.expression.scaling).values, found.values);
}

TEST(ResidualComponents, DoNotDependOnTheStandardisation) {
  BaselineData data = simulated_baseline_data();
  const DenseMatrix found = residual_components(data.input());
  EXPECT_EQ(found.columns, 50);
  EXPECT_NE(found.values, principal_components(data.expression.values, data.expression.scaling).values);
  data.expression.scaling = residual_scaling(data.expression, *single_rank());
  EXPECT_EQ(principal_components(data.expression.values, data.expression.scaling).values, found.values);
  EXPECT_EQ(residual_components(data.input()).values, found.values);
}

TEST(ResidualComponents, AreThoseOfCounts) {
  BaselineData data = simulated_baseline_data();
  data.counts.values.back() = 1.5F;
  EXPECT_THROW(residual_components(data.input()), UserError);
}

}  // namespace
}  // namespace masksc
