#include "masksc/preprocess/normalize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "masksc/preprocess/moments.hpp"
#include "masksc/preprocess/variable_genes.hpp"
#include "shards.hpp"

namespace masksc::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::Pointwise;

double median_on(int ranks, const std::vector<double>& totals) {
  std::vector<double> found(static_cast<std::size_t>(ranks));
  run_as_threads(ranks, [&](Collectives& team) {
    const RowRange rows = rows_of_rank(static_cast<std::int64_t>(totals.size()), team.rank(), team.size());
    found[static_cast<std::size_t>(team.rank())] = median_total(
        std::span(totals).subspan(static_cast<std::size_t>(rows.begin), static_cast<std::size_t>(rows.size())), team);
  });
  EXPECT_THAT(found, Each(found.front()));
  return found.front();
}

TEST(Median, IsNumpysOfCellsWithCounts) {
  for (const int ranks : {1, 2, 3, 5}) {
    EXPECT_EQ(median_on(ranks, {3}), 3);
    EXPECT_EQ(median_on(ranks, {3, 8}), 5.5);
    EXPECT_EQ(median_on(ranks, {9, 1, 4}), 4);
    EXPECT_EQ(median_on(ranks, {7, 7, 1, 7, 1e9, 1e12}), 7);
    EXPECT_EQ(median_on(ranks, {0, 0, 0, 2, 6}), 4);
    EXPECT_EQ(median_on(ranks, {0.25, 0.125, 70000.75}), 0.25);
    EXPECT_EQ(median_on(ranks, {}), 0);
    EXPECT_EQ(median_on(ranks, {0, 0}), 0);
  }
}

TEST(LogNormalize, BringsCellsToTheMedianTotal) {
  CsrMatrix counts = sparse({{1, 0, 3}, {0, 0, 0}, {8, 8, 0}});
  const auto totals = cell_totals(counts);
  EXPECT_THAT(totals, ElementsAre(4, 0, 16));
  log_normalize(counts, totals, 8);
  EXPECT_THAT(counts.values,
              Pointwise(FloatEq(), {std::log1p(2.0F), std::log1p(6.0F), std::log1p(4.0F), std::log1p(4.0F)}));
}

TEST(GenesWithCounts, LooksAtAllRanksAndIgnoresStoredZeros) {
  CsrMatrix counts = sparse({{1, 0, 5, 0}, {0, 0, 1, 0}, {2, 0, 0, 7}});
  counts.values[1] = counts.values[2] = 0;  // gene 2 is stored but zero
  run_as_threads(3, [&](Collectives& team) {
    const RowRange rows = rows_of_rank(3, team.rank(), team.size());
    std::vector<std::uint8_t> expressed(4);
    mark_genes_with_counts(rows_of(counts, rows), expressed);
    team.all_reduce(std::span(expressed), ReduceOp::max);
    EXPECT_THAT(expressed, ElementsAre(1, 0, 0, 1));
  });
}

TEST(SelectColumns, TakesColumnsInTheGivenOrder) {
  const CsrMatrix matrix = sparse({{1, 0, 3, 4}, {0, 0, 0, 0}, {5, 6, 0, 8}});
  const CsrMatrix picked = select_columns(matrix, std::vector<std::int64_t>{3, 0, 1});
  EXPECT_EQ(picked.columns, 3);
  EXPECT_THAT(picked.row_start, ElementsAre(0, 2, 2, 5));
  EXPECT_THAT(picked.indices, ElementsAre(0, 1, 0, 1, 2));
  EXPECT_THAT(picked.values, ElementsAre(4, 1, 8, 5, 6));
  EXPECT_EQ(select_columns(matrix, {}).nonzeros(), 0);
}

GeneMoments moments_of(MomentSums::Of of, const CsrMatrix& values, std::int64_t cells, double median) {
  MomentSums sums(of, values.columns, {cells}, median);
  sums.add(values);
  return sums.finish(*single_rank()).front();
}

GeneMoments log_moments(const CsrMatrix& values) { return moments_of(MomentSums::Of::logs, values, values.rows, 100); }

TEST(Moments, AreThoseOfTheDenseColumns) {
  const CsrMatrix values = sparse({{0.5, 0, 2, 1}, {1.5, 0, 2, 0}, {0, 0, 2, 1}, {1, 0.25, 2, 0}});
  const auto moments = log_moments(values);
  EXPECT_THAT(moments.mean, ElementsAre(0.75, 0.0625, 2, 0.5));
  EXPECT_NEAR(moments.variance[0], 1.25 / 3, 1e-12);
  EXPECT_NEAR(moments.variance[1], 0.015625, 1e-12);
  EXPECT_EQ(moments.variance[2], 0);
  EXPECT_NEAR(moments.variance[3], 1.0 / 3, 1e-12);
  EXPECT_EQ(log_moments(sparse({{1, 2}})).variance, (std::vector<double>{0, 0}));
}

TEST(Moments, OfAGeneThatIsConstantButForRoundingHaveNoVariance) {
  const CsrMatrix values = sparse(std::vector<std::vector<float>>(1000, {0.1F, 3.3333333F}));
  EXPECT_EQ(log_moments(values).variance, (std::vector<double>{0, 0}));
}

TEST(Moments, OfHugeTotalsStayInRange) {
  const auto log = static_cast<float>(std::log1p(4e7));
  const CsrMatrix values = sparse(std::vector<std::vector<float>>(64, {log, 0.5F * log}));
  const auto moments = moments_of(MomentSums::Of::normalized_counts, values, 64, 4e7);
  EXPECT_NEAR(moments.mean[0] / std::expm1(static_cast<double>(log)), 1, 1e-6);
  // as if the rest were zero
  const auto most = moments_of(MomentSums::Of::normalized_counts, values, 4'000'000'000, 4e7);
  EXPECT_NEAR(most.mean[0] * 4e9 / 64 / std::expm1(static_cast<double>(log)), 1, 1e-6);
}

TEST(Dispersion, OfAGeneAloneInItsBinIsOneAndOfAConstantGeneUndefined) {
  const auto scores = normalized_dispersion({{1, 1.01, 1.02, 50, 2}, {2, 3, 4, 9, 0}});
  EXPECT_DOUBLE_EQ(scores[3], 1);
  EXPECT_TRUE(std::isnan(scores[4]));
  const double a = std::log(2 / 1.0);
  const double b = std::log(3 / 1.01);
  const double c = std::log(4 / 1.02);
  const double mean = (a + b + c) / 3;
  const double sd = std::sqrt(((a - mean) * (a - mean) + (b - mean) * (b - mean) + (c - mean) * (c - mean)) / 2);
  EXPECT_NEAR(scores[0], (a - mean) / sd, 1e-12);
  EXPECT_NEAR(scores[2], (c - mean) / sd, 1e-12);
}

TEST(Dispersion, WorksOnGenesOfOneMean) {
  const auto scores = normalized_dispersion({{2, 2, 2}, {1, 2, 3}});
  EXPECT_LT(scores[0], scores[1]);
  EXPECT_LT(scores[1], scores[2]);
  EXPECT_TRUE(normalized_dispersion({}).empty());
}

TEST(Ranking, PutsTiesInFileOrderAndUndefinedLast) {
  const double none = std::nan("");
  EXPECT_THAT(by_descending_score(std::vector{1.0, none, 3.0, 1.0, none, 2.0}), ElementsAre(2, 5, 0, 3, 1, 4));
}

}  // namespace
}  // namespace masksc::testing
