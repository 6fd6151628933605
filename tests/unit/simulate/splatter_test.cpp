#include "masksc/simulate/splatter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SimulationSettings small() {
  SimulationSettings settings;
  settings.cells = 200;
  settings.genes = 150;
  settings.groups = "4";
  return settings;
}

CsrMatrix simulate(const SimulationSettings& settings, std::vector<std::int32_t>* groups = nullptr) {
  return simulate_cells(settings, simulate_genes(settings), {0, settings.cells}, groups);
}

std::vector<double> totals_of(const CsrMatrix& counts) {
  std::vector<double> totals;
  for (std::int64_t cell = 0; cell < counts.rows; ++cell) {
    const auto values = counts.row_values(cell);
    totals.push_back(std::accumulate(values.begin(), values.end(), 0.0));
  }
  return totals;
}

TEST(Splatter, AnySplitGivesTheSameCells) {
  const SimulationSettings settings = small();
  std::vector<std::int32_t> whole_groups;
  const CsrMatrix whole = simulate(settings, &whole_groups);
  for (const int parts : {2, 3, 7}) {
    std::vector<float> values;
    std::vector<std::int32_t> indices;
    std::vector<std::int32_t> groups;
    for (int part = 0; part < parts; ++part) {
      std::vector<std::int32_t> own;
      const CsrMatrix counts =
          simulate_cells(settings, simulate_genes(settings), rows_of_rank(settings.cells, part, parts), &own);
      values.insert(values.end(), counts.values.begin(), counts.values.end());
      indices.insert(indices.end(), counts.indices.begin(), counts.indices.end());
      groups.insert(groups.end(), own.begin(), own.end());
    }
    EXPECT_EQ(values, whole.values);
    EXPECT_EQ(indices, whole.indices);
    EXPECT_EQ(groups, whole_groups);
  }
  EXPECT_EQ(simulate_cells(settings, simulate_genes(settings), {9, 9}).nonzeros(), 0);
}

TEST(Splatter, TheSeedDecides) {
  SimulationSettings settings = small();
  const CsrMatrix one = simulate(settings);
  EXPECT_EQ(simulate(settings).values, one.values);
  settings.seed = 1;
  EXPECT_NE(simulate(settings).values, one.values);
}

TEST(Splatter, LibrarySizesAreLogNormal) {
  SimulationSettings settings = small();
  settings.cells = 3000;
  settings.library_location = 9;
  settings.library_scale = 0.5;
  settings.bcv = 0;
  settings.bcv_degrees = 1e6;
  std::vector<double> logs;
  for (const double total : totals_of(simulate(settings))) logs.push_back(std::log(total));
  const double mean = std::accumulate(logs.begin(), logs.end(), 0.0) / 3000;
  double variance = 0;
  for (const double log : logs) variance += (log - mean) * (log - mean) / 3000;
  EXPECT_NEAR(mean, 9, 0.05);
  EXPECT_NEAR(std::sqrt(variance), 0.5, 0.03);
}

TEST(Splatter, GeneCountsHaveTheTrendedVariance) {
  SimulationSettings settings;
  settings.cells = 4000;
  settings.genes = 2;
  settings.groups = "1";
  settings.library_scale = 0;
  settings.library_location = std::log(100.0);
  settings.outlier_probability = 0;
  settings.bcv_degrees = 1e6;
  settings.bcv = 0.2;
  const SimulatedGenes genes = simulate_genes(settings);
  const CsrMatrix counts = simulate(settings);
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < counts.indices.size(); ++i) {
    if (counts.indices[i] != 0) continue;
    sum += counts.values[i];
    squares += counts.values[i] * counts.values[i];
  }
  const double expected = genes.shares[0] * 100;
  const double mean = sum / 4000;
  const double bcv = 0.2 + 1 / std::sqrt(expected);
  EXPECT_NEAR(mean / expected, 1, 0.05);
  EXPECT_NEAR((squares / 4000 - mean * mean) / (expected + bcv * bcv * expected * expected), 1, 0.15);
}

TEST(Splatter, GroupsDifferInTheStatedShareOfGenes) {
  SimulationSettings settings = small();
  settings.genes = 20000;
  settings.de_probability = 0.1;
  settings.de_down_probability = 0.25;
  const SimulatedGenes genes = simulate_genes(settings);
  const auto changed = std::count_if(genes.factors.begin(), genes.factors.end(), [](double f) { return f != 1; });
  const auto lower = std::count_if(genes.factors.begin(), genes.factors.end(), [](double f) { return f < 1; });
  EXPECT_NEAR(static_cast<double>(changed) / 80000, 0.1, 0.006);
  EXPECT_NEAR(static_cast<double>(lower) / static_cast<double>(changed), 0.25, 0.02);
  for (std::size_t group = 0; group < 4; ++group) {
    const auto begin = genes.shares.begin() + static_cast<std::ptrdiff_t>(20000 * group);
    EXPECT_NEAR(std::accumulate(begin, begin + 20000, 0.0), 1, 1e-9);
  }
  settings.de_probability = 0;
  EXPECT_THAT(simulate_genes(settings).factors, ::testing::Each(1.0));
}

TEST(Splatter, OutliersStandFarAboveTheMedian) {
  SimulationSettings settings = small();
  settings.genes = 20000;
  settings.outlier_probability = 0;
  const auto plain = simulate_genes(settings).mean;
  settings.outlier_probability = 0.05;
  const auto mixed = simulate_genes(settings).mean;
  std::int64_t changed = 0;
  for (std::size_t gene = 0; gene < plain.size(); ++gene) changed += plain[gene] != mixed[gene] ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(changed) / 20000, 0.05, 0.008);
  EXPECT_NEAR(std::accumulate(plain.begin(), plain.end(), 0.0) / 20000, 0.6 / 0.3, 0.1);
  EXPECT_GT(*std::max_element(mixed.begin(), mixed.end()), 2 * *std::max_element(plain.begin(), plain.end()));
}

TEST(Splatter, DropoutLosesMoreTheHigherItsMidpoint) {
  SimulationSettings settings = small();
  const auto without = simulate(settings).nonzeros();
  settings.dropout = Dropout::expression;
  std::int64_t before = without;
  for (const double mid : {-4.0, 0.0, 2.0, 5.0}) {
    settings.dropout_mid = mid;
    const auto nonzeros = simulate(settings).nonzeros();
    EXPECT_LT(nonzeros, before) << mid;
    before = nonzeros;
  }
  EXPECT_LT(before, without / 2);
}

TEST(Splatter, DropoutSparesWhatIsHighlyExpressed) {
  SimulationSettings settings = small();
  settings.dropout = Dropout::expression;
  settings.dropout_mid = 1;
  settings.dropout_shape = -20;
  const CsrMatrix counts = simulate(settings);
  const auto low = std::count_if(counts.values.begin(), counts.values.end(), [](float v) { return v <= 1; });
  const auto high = std::count_if(counts.values.begin(), counts.values.end(), [](float v) { return v >= 8; });
  settings.dropout = Dropout::none;
  const CsrMatrix all = simulate(settings);
  const auto all_low = std::count_if(all.values.begin(), all.values.end(), [](float v) { return v <= 1; });
  const auto all_high = std::count_if(all.values.begin(), all.values.end(), [](float v) { return v >= 8; });
  EXPECT_LT(static_cast<double>(low), 0.3 * static_cast<double>(all_low));
  EXPECT_GT(static_cast<double>(high), 0.9 * static_cast<double>(all_high));
}

std::vector<std::int64_t> sizes_of(const SimulationSettings& settings) {
  std::vector<std::int32_t> groups;
  simulate(settings, &groups);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(plan_groups(settings.groups, settings.cells).groups()));
  for (const std::int32_t group : groups) ++sizes[static_cast<std::size_t>(group)];
  return sizes;
}

TEST(Groups, HaveTheStatedSizes) {
  SimulationSettings settings = small();
  settings.genes = 2;
  settings.groups = "120,50,30";
  EXPECT_THAT(sizes_of(settings), ElementsAre(120, 50, 30));
  settings.groups = "3";
  EXPECT_THAT(sizes_of(settings), ElementsAre(66, 67, 67));
  settings.groups = "200";
  EXPECT_THAT(sizes_of(settings), ::testing::Each(1));
  settings.cells = 10000;
  settings.groups = "0.7,0.2,0.1";
  const auto sizes = sizes_of(settings);
  EXPECT_NEAR(static_cast<double>(sizes[0]), 7000, 250);
  EXPECT_NEAR(static_cast<double>(sizes[2]), 1000, 150);
}

TEST(Groups, AreShuffledOverTheFile) {
  SimulationSettings settings = small();
  std::vector<std::int32_t> groups;
  simulate(settings, &groups);
  std::int64_t changes = 0;
  for (std::size_t i = 1; i < groups.size(); ++i) changes += groups[i] != groups[i - 1] ? 1 : 0;
  EXPECT_GT(changes, 100);
}

TEST(Groups, RefuseWhatDoesNotAddUp) {
  for (const char* text : {"", "0", "-3", "a", "3,", ",3", "3;4", "1e3", "0.5,0.5,0", "0.5,-0.5,1.0", "nan.", "5 "})
    EXPECT_THROW(plan_groups(text, 100), UserError) << text;
  EXPECT_THROW(plan_groups("50,40", 100), UserError);
  EXPECT_THROW(plan_groups("50,60", 100), UserError);
  EXPECT_THROW(plan_groups("9223372036854775807,9223372036854775807,2", 100), UserError);
  EXPECT_THROW(plan_groups("0.5,0.4", 100), UserError);
  EXPECT_THROW(plan_groups("101", 100), UserError);
  EXPECT_EQ(plan_groups("1.0", 100).groups(), 1);
}

TEST(Settings, OutOfRangeNameTheOption) {
  const auto message = [](const std::function<void(SimulationSettings&)>& change) -> std::string {
    SimulationSettings settings;
    change(settings);
    try {
      validate(settings);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([](auto&) {}), "no error");
  EXPECT_THAT(message([](auto& s) { s.cells = 0; }), HasSubstr("--cells"));
  EXPECT_THAT(message([](auto& s) { s.genes = -1; }), HasSubstr("--genes"));
  EXPECT_THAT(message([](auto& s) { s.seed = -1; }), HasSubstr("--seed"));
  EXPECT_THAT(message([](auto& s) { s.groups = "x"; }), HasSubstr("--groups"));
  EXPECT_THAT(message([](auto& s) { s.de_probability = 1.5; }), HasSubstr("--de-probability"));
  EXPECT_THAT(message([](auto& s) { s.mean_shape = 0; }), HasSubstr("--mean-shape"));
  EXPECT_THAT(message([](auto& s) { s.library_location = 40; }), HasSubstr("--library-location"));
  EXPECT_THAT(message([](auto& s) { s.bcv_degrees = 0; }), HasSubstr("--bcv-degrees"));
  EXPECT_THAT(message([](auto& s) { s.dropout_shape = 1e9; }), HasSubstr("--dropout-shape"));
}

}  // namespace
}  // namespace masksc
