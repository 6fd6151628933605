#include "masksc/data/loader.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include "masksc/core/hash.hpp"
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
std::vector<Cells> epoch_of(int size, std::int64_t cells, std::int64_t batch_size, std::uint32_t epoch,
                            const LoaderSettings& settings = {}) {
  std::vector<Cells> steps(static_cast<std::size_t>(BatchPlan(cells, batch_size).steps));
  std::mutex mutex;
  run_as_threads(size, [&](Collectives& ranks) {
    const Expression expression = small_expression(cells, 6, 2, ranks);
    Loader loader(expression, batch_size, 3, ShuffleStream::training, ranks, settings);
    if (settings.ahead) {  // an epoch that is left in the middle
      loader.start_epoch(epoch + 1);
      static_cast<void>(loader.batch(0));
    }
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

TEST(Loader, WorksAhead) {
  for (const Shuffle& shuffle : {Shuffle{}, Shuffle{4, 12}})  // one window, and several
    for (const int size : {1, 3})
      EXPECT_EQ(epoch_of(size, 43, 5, 2, {.shuffle = shuffle, .ahead = true}),
                epoch_of(size, 43, 5, 2, {.shuffle = shuffle}))
          << size << " ranks";
}

TEST(Loader, DealsOutCellsAlone) {
  run_as_threads(3, [&](Collectives& ranks) {
    const Expression expression = small_expression(23, 6, 2, ranks);
    Loader whole(expression, 8, 3, ShuffleStream::training, ranks);
    Loader bare(expression, 8, 3, ShuffleStream::training, ranks, {.values = false});
    for (Loader* loader : {&whole, &bare}) loader->start_epoch(1);
    for (std::int64_t step = 0; step < whole.plan().steps; ++step) {
      const Batch wanted = whole.batch(step);
      const Batch batch = bare.batch(step);
      EXPECT_EQ(batch.cells, wanted.cells);
      EXPECT_EQ(batch.weights, wanted.weights);
      EXPECT_EQ(batch.part_real, wanted.part_real);
      EXPECT_TRUE(batch.values.empty());
    }
  });
}

/// Cells of each part of each step, with padding as -1, on `size` ranks.
std::vector<std::vector<std::int64_t>> parts_of(int size, int parts, std::int64_t cells, std::int64_t batch_size,
                                                std::string* order_hash = nullptr) {
  const BatchPlan plan(cells, batch_size);
  std::vector<std::vector<std::int64_t>> all(static_cast<std::size_t>(plan.steps * parts));
  run_as_threads(size, [&](Collectives& ranks) {
    const Expression expression = small_expression(cells, 6, 2, ranks);
    Loader loader(expression, batch_size, 3, ShuffleStream::training, ranks, {.parts = parts});
    loader.start_epoch(1);
    if (ranks.is_root() && order_hash != nullptr) *order_hash = loader.order_hash();
    for (std::int64_t step = 0; step < plan.steps; ++step) {
      const Batch batch = loader.batch(step);
      const std::int64_t mine = parts / size;
      ASSERT_EQ(batch.part_rows, plan.padded_rows(parts));
      ASSERT_EQ(batch.rows, batch.part_rows * mine);
      ASSERT_EQ(static_cast<std::int64_t>(batch.part_real.size()), mine);
      std::int64_t real = 0;
      for (std::int64_t part = 0; part < mine; ++part) {
        const auto from = batch.cells.begin() + part * batch.part_rows;
        const std::int64_t held = batch.part_real[static_cast<std::size_t>(part)];
        for (std::int64_t i = 0; i < batch.part_rows; ++i) {
          EXPECT_EQ(from[i] >= 0, i < held);
          EXPECT_EQ(batch.weights[static_cast<std::size_t>(part * batch.part_rows + i)], i < held ? 1 : 0);
        }
        real += held;
        all[static_cast<std::size_t>(step * parts + ranks.rank() * mine + part)].assign(from, from + batch.part_rows);
      }
      EXPECT_EQ(batch.real, real);
    }
  });
  return all;
}

TEST(Loader, PartsDoNotDependOnTheNumberOfRanks) {
  for (const auto& [cells, batch] : {std::pair{50, 16}, std::pair{23, 8}, std::pair{19, 5}, std::pair{64, 64}}) {
    std::string hash;
    const auto alone = parts_of(1, 8, cells, batch, &hash);
    std::set<std::int64_t> seen;
    for (const auto& part : alone)
      for (const std::int64_t cell : part) EXPECT_TRUE(cell < 0 || seen.insert(cell).second);
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(cells)) << "each cell once";
    for (const int size : {2, 4, 8}) {
      std::string same;
      EXPECT_EQ(parts_of(size, 8, cells, batch, &same), alone) << cells << " cells, " << size << " ranks";
      EXPECT_EQ(same, hash);
    }
  }
  EXPECT_THROW(parts_of(3, 8, 50, 16), InvariantError);
}

TEST(Loader, TheHashOfAnEpochsOrderIsThatOfItsPermutation) {
  const auto ranks = single_rank();
  const Expression expression = small_expression(30, 6, 2, *ranks);
  Loader loader(expression, 7, 3, ShuffleStream::training, *ranks);
  loader.start_epoch(4);
  std::vector<std::int64_t> order;
  for (std::int64_t step = 0; step < loader.plan().steps; ++step) {
    const Batch batch = loader.batch(step);
    order.insert(order.end(), batch.cells.begin(), batch.cells.begin() + batch.real);
  }
  Hasher hasher;
  hasher.add(std::span<const std::int64_t>(order));
  EXPECT_EQ(loader.order_hash(), hasher.hex());
  loader.start_epoch(5);
  EXPECT_NE(loader.order_hash(), hasher.hex());
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
  expression.scaling.counts = true;
  std::vector<float> of_counts(16);
  Densifier(expression).fill(indices, values, of_counts);
  EXPECT_FLOAT_EQ(of_counts[3], 10.0F);  // (e^2 - 2) * 4 is more
  EXPECT_FLOAT_EQ(of_counts[0], row[0]);
  Densifier(expression).fill(indices, std::vector<float>{std::log(3.0F), 0.5F}, of_counts);
  EXPECT_FLOAT_EQ(of_counts[3], 4.0F);  // a count of 2
}

TEST(Densifier, LeavesOutTokensOfPaddingOnly) {
  const auto ranks = single_rank();
  Expression expression = small_expression(2, 4, 2, *ranks);
  expression.layout = lay_out({6, 6, 2, 2}, 16);  // 16 genes fill rows 0, 1 and four of row 2
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
