// Preparation of rows that stay on disk, and standardisation within batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "masksc/preprocess/coexpression.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "shards.hpp"

namespace masksc::testing {
namespace {

PreparationSettings settings_of(GeneOrder order, const std::string& matrix = "8x8") {
  PreparationSettings settings;
  settings.matrix = matrix;
  settings.patch = "4";
  settings.gene_order = order;
  return settings;
}

Labels batches_of(std::int64_t cells, std::int32_t count) {
  Labels batches;
  for (std::int32_t b = 0; b < count; ++b) batches.names.push_back("b" + std::to_string(b));
  for (std::int64_t cell = 0; cell < cells; ++cell)
    batches.codes.push_back(static_cast<std::int32_t>(cell % 7) % count);
  return batches;
}

/// What the ranks make of `counts`, with their rows held or read `block` at a time.
std::vector<Expression> made_on(int ranks, const CsrMatrix& counts, const PreparationSettings& settings,
                                std::int64_t block, const Labels& batches = {}) {
  std::vector<Expression> results(static_cast<std::size_t>(ranks));
  const auto names = gene_names(counts.columns);
  run_as_threads(ranks, [&](Collectives& team) {
    const RowRange rows = rows_of_rank(counts.rows, team.rank(), team.size());
    const ReadCounts read = [&counts](RowRange wanted) { return rows_of(counts, wanted); };
    results[static_cast<std::size_t>(team.rank())] =
        block > 0 ? prepare_streamed(read, block, counts.rows, rows, names, {}, settings, team, batches)
                  : prepare_expression(rows_of(counts, rows), counts.rows, rows, names, {}, settings, team, batches);
  });
  return results;
}

class Streamed : public ::testing::TestWithParam<GeneOrder> {};

TEST_P(Streamed, HasTheBitsOfHeldRows) {
  const CsrMatrix counts = random_counts(47, 120);
  const Labels batches = batches_of(47, 3);
  for (const auto& [by_batch, standardize] :
       {std::pair(false, Standardize::automatic), {true, Standardize::yes}, {true, Standardize::residuals}}) {
    PreparationSettings settings = settings_of(GetParam());
    settings.batch_statistics = by_batch;
    settings.standardize = standardize;
    const Expression held = std::move(made_on(1, counts, settings, 0, batches).front());
    for (const int ranks : {1, 3})
      for (const std::int64_t block : {1, 10, 1000})
        for (const Expression& streamed : made_on(ranks, counts, settings, block, batches)) {
          ASSERT_TRUE(streamed.streams());
          EXPECT_EQ(streamed.values.rows, 0);
          EXPECT_EQ(streamed.genes, held.genes);
          EXPECT_EQ(streamed.scaling.mean, held.scaling.mean);
          EXPECT_EQ(streamed.scaling.inverse_sd, held.scaling.inverse_sd);
          EXPECT_EQ(streamed.batch_of_cell, held.batch_of_cell);
          const CsrMatrix all = streamed.read({0, 47});
          EXPECT_EQ(all.indices, held.values.indices);
          EXPECT_EQ(all.values, held.values.values);
          const ExpressionRows some(streamed, {5, 9});
          const ExpressionRows same(held, {5, 9});
          EXPECT_TRUE(std::ranges::equal(some.values(7), same.values(7)));
          EXPECT_TRUE(std::ranges::equal(some.indices(7), same.indices(7)));
        }
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, Streamed,
                         ::testing::Values(GeneOrder::file, GeneOrder::variable, GeneOrder::coexpression),
                         [](const auto& param) { return "order" + std::to_string(param.index); });

TEST(BatchStatistics, GiveEachBatchMeanZeroAndDeviationOne) {
  const CsrMatrix counts = random_counts(90, 70);
  const Labels batches = batches_of(90, 3);
  PreparationSettings settings = settings_of(GeneOrder::file);
  settings.batch_statistics = true;
  const Expression made = std::move(made_on(1, counts, settings, 0, batches).front());
  ASSERT_EQ(made.scaling.batches, 3);
  ASSERT_EQ(made.scaling.columns(), made.genes.size());
  std::vector<std::vector<double>> dense(90, std::vector<double>(made.genes.size()));
  for (std::int64_t cell = 0; cell < 90; ++cell) {
    auto& row = dense[static_cast<std::size_t>(cell)];
    for (std::size_t i = 0; i < made.values.row_size(cell); ++i)
      row[static_cast<std::size_t>(made.values.row_indices(cell)[i])] =
          static_cast<double>(made.values.row_values(cell)[i]);
  }
  for (std::int32_t batch = 0; batch < 3; ++batch)
    for (std::size_t gene = 0; gene < made.genes.size(); ++gene) {
      double n = 0, sum = 0, squares = 0;
      for (std::int64_t cell = 0; cell < 90; ++cell) {
        if (made.batch(cell) != batch) continue;
        const double x = dense[static_cast<std::size_t>(cell)][gene];
        const double scaled = static_cast<double>(made.scaling.scaled(gene, static_cast<float>(x), batch));
        ASSERT_LT(std::abs(scaled), 9) << "not clipped";
        n += 1;
        sum += scaled;
        squares += scaled * scaled;
      }
      EXPECT_NEAR(sum / n, 0, 1e-5);
      if (squares > 0) {
        EXPECT_NEAR((squares - sum * sum / n) / (n - 1), 1, 1e-4);
      }
    }
}

TEST(BatchStatistics, AreTheSameBitsOnAnyNumberOfRanks) {
  const CsrMatrix counts = random_counts(47, 120);
  PreparationSettings settings = settings_of(GeneOrder::file);
  settings.batch_statistics = true;
  const Labels batches = batches_of(47, 3);
  const Expression alone = std::move(made_on(1, counts, settings, 0, batches).front());
  for (const Expression& part : made_on(5, counts, settings, 0, batches)) {
    EXPECT_EQ(part.scaling.mean, alone.scaling.mean);
    EXPECT_EQ(part.scaling.inverse_sd, alone.scaling.inverse_sd);
  }
  settings.batch_statistics = false;
  EXPECT_NE(made_on(1, counts, settings, 0, batches).front().scaling.mean, alone.scaling.mean);
}

TEST(Coexpression, KnowsTheCellsThatEnterIt) {
  for (const std::int64_t cells :
       {std::int64_t{10}, kCoexpressionCells, kCoexpressionCells + 1, std::int64_t{200'003}}) {
    const std::int64_t sampled = std::min(cells, kCoexpressionCells);
    std::vector<std::int64_t> want;
    for (std::int64_t i = 0; i < sampled; ++i) want.push_back(i * cells / sampled);
    std::vector<std::int64_t> got;
    for (std::int64_t cell = 0; cell < cells; ++cell)
      if (is_correlated_cell(cell, cells)) got.push_back(cell);
    EXPECT_EQ(got, want) << cells << " cells";
  }
}

TEST(BatchStatistics, NeedBatches) {
  PreparationSettings settings = settings_of(GeneOrder::file);
  settings.batch_statistics = true;
  EXPECT_THROW(made_on(1, random_counts(20, 120), settings, 0), UserError);
  settings.standardize = Standardize::no;
  EXPECT_THROW(validate(settings), UserError);
}

}  // namespace
}  // namespace masksc::testing
