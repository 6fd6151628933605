#include "masksc/data/loader.hpp"

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>

#include "small_expression.hpp"

namespace masksc {
namespace {

TEST(BatchPlan, EveryPositionOnceInNearlyEqualBatches) {
  for (const auto& [cells, batch] : {std::pair{1, 1}, std::pair{7, 3}, std::pair{64, 64}, std::pair{65, 64},
                                     std::pair{4271, 64}, std::pair{100, 1000}}) {
    const BatchPlan plan(cells, batch);
    for (const int ranks : {1, 2, 3, 8}) {
      std::int64_t next = 0;
      for (std::int64_t step = 0; step < plan.steps; ++step) {
        EXPECT_LE(plan.batch(step).size(), batch);
        for (int rank = 0; rank < ranks; ++rank) {
          const RowRange slice = plan.slice(step, rank, ranks);
          EXPECT_EQ(slice.begin, next);
          EXPECT_LE(slice.size(), plan.padded_rows(ranks));
          next = slice.end;
        }
      }
      EXPECT_EQ(next, cells);
    }
  }
}

using Cells = std::map<std::int64_t, std::vector<float>>;  // cell -> dense row

/// What the ranks together see at each step of an epoch.
std::vector<Cells> epoch_of(int size, std::int64_t cells, std::int64_t batch_size, std::uint32_t epoch) {
  std::vector<Cells> steps(static_cast<std::size_t>(BatchPlan(cells, batch_size).steps));
  std::mutex mutex;
  run_as_threads(size, [&](Collectives& ranks) {
    const Expression expression = small_expression(cells, 6, 2, ranks);
    Loader loader(expression, batch_size, 3, 0, ranks);
    loader.start_epoch(epoch);
    for (std::int64_t step = 0; step < loader.plan().steps; ++step) {
      const Batch batch = loader.batch(step);
      EXPECT_EQ(batch.rows, loader.rows());
      const std::scoped_lock lock(mutex);
      for (std::int64_t i = 0; i < batch.rows; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const std::vector<float> row(batch.values.begin() + i * 36, batch.values.begin() + (i + 1) * 36);
        if (i < batch.real) {
          EXPECT_EQ(batch.weights[at], 1);
          EXPECT_TRUE(steps[static_cast<std::size_t>(step)].emplace(batch.cells[at], row).second);
        } else {
          EXPECT_EQ(batch.cells[at], -1);
          EXPECT_EQ(batch.weights[at], 0);
          EXPECT_EQ(row, std::vector<float>(36, 0.0F));
        }
      }
    }
  });
  return steps;
}

TEST(Loader, TheSameBatchesOnAnyNumberOfRanks) {
  const std::vector<Cells> alone = epoch_of(1, 23, 8, 2);
  std::set<std::int64_t> seen;
  for (const Cells& step : alone)
    for (const auto& [cell, row] : step) EXPECT_TRUE(seen.insert(cell).second);
  EXPECT_EQ(seen.size(), 23U);
  for (const int size : {2, 3, 5, 8}) EXPECT_EQ(epoch_of(size, 23, 8, 2), alone) << size << " ranks";
  EXPECT_NE(epoch_of(1, 23, 8, 3), alone);
}

TEST(Densifier, StandardisesClipsAndLaysOutPatchMajor) {
  const auto ranks = single_rank();
  Expression expression = small_expression(1, 4, 2, *ranks);
  expression.scaling.mean[5] = 1.0F;
  expression.scaling.inverse_sd[5] = 4.0F;
  const Densifier densifier(expression);
  std::vector<float> row(16);
  const std::vector<std::int32_t> indices = {5, 6};
  const std::vector<float> values = {2.0F, 100.0F};
  densifier.fill(indices, values, row);
  EXPECT_FLOAT_EQ(row[3], 4.0F);          // gene 5 = row 1, column 1: token 0, last of its patch
  EXPECT_FLOAT_EQ(row[4 + 2], 10.0F);     // gene 6 = row 1, column 2: token 1, clipped
  EXPECT_FLOAT_EQ(row[0], -0.4F * 1.5F);  // a gene without counts
}

TEST(Densifier, LeavesOutTokensOfPaddingOnly) {
  const auto ranks = single_rank();
  Expression expression = small_expression(2, 4, 2, *ranks);
  expression.layout = lay_out({6, 6, 2}, 16);  // 16 genes fill rows 0, 1 and four of row 2
  const Densifier densifier(expression);
  EXPECT_EQ(densifier.width(), expression.layout.tokens_with_genes() * 4);
  EXPECT_LT(densifier.width(), 36);
  std::vector<float> row(static_cast<std::size_t>(densifier.width()), -1.0F);
  densifier.fill({}, {}, row);
  std::int64_t padding = std::count(row.begin(), row.end(), 0.0F);
  EXPECT_EQ(padding, densifier.width() - 16);  // padding slots are exactly 0, genes are not
}

}  // namespace
}  // namespace masksc
