// Orders of an epoch: each cell once, blocks read together and mixed well, streamed as well as held.
#include "masksc/data/epoch_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/data/settings.hpp"
#include "small_expression.hpp"

namespace masksc {
namespace {

std::vector<std::int64_t> whole_order(const EpochOrder& order) {
  std::vector<std::int64_t> all;
  for (std::int64_t window = 0; window < order.windows(); ++window) {
    const std::vector<std::int64_t> cells = order.cells(window);
    all.insert(all.end(), cells.begin(), cells.end());
  }
  return all;
}

std::vector<std::int64_t> order_of(std::int64_t cells, std::int64_t batch, const Shuffle& shuffle, std::uint32_t epoch,
                                   std::uint64_t seed = 3) {
  EpochOrder order(BatchPlan(cells, batch), shuffle, seed, ShuffleStream::training);
  order.start(epoch);
  return whole_order(order);
}

std::vector<std::int64_t> first_numbers(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

TEST(EpochOrder, EachCellOnceInWholeBatches) {
  for (const std::int64_t cells : {1, 7, 100, 1000, 4271})
    for (const Shuffle shuffle : {Shuffle{}, Shuffle{1, 1}, Shuffle{16, 64}, Shuffle{64, 16}, Shuffle{5000, 9000}}) {
      const BatchPlan plan(cells, 32);
      EpochOrder order(plan, shuffle, 3, ShuffleStream::training);
      order.start(1);
      std::vector<std::int64_t> all = whole_order(order);
      std::sort(all.begin(), all.end());
      EXPECT_EQ(all, first_numbers(cells)) << cells << " cells, blocks of " << shuffle.block;
      std::int64_t next = 0;
      for (std::int64_t window = 0; window < order.windows(); ++window) {
        EXPECT_EQ(order.positions(window).begin, plan.batch(order.steps(window).begin).begin);
        EXPECT_EQ(order.positions(window).begin, next);
        next = order.positions(window).end;
        for (std::int64_t step = order.steps(window).begin; step < order.steps(window).end; ++step)
          EXPECT_EQ(order.window_of(step), window);
      }
      EXPECT_EQ(next, cells);
    }
}

TEST(EpochOrder, AllCellsAtOnceIsThePermutationOfTheEpoch) {
  EXPECT_EQ(order_of(100, 16, {}, 4), random_permutation(100, 3, Purpose::permutation, 8));
}

TEST(EpochOrder, DiffersByEpochAndSeed) {
  const Shuffle blocks{8, 32};
  const auto order = order_of(200, 16, blocks, 0);
  EXPECT_EQ(order, order_of(200, 16, blocks, 0));
  EXPECT_NE(order, order_of(200, 16, blocks, 1));
  EXPECT_NE(order, order_of(200, 16, blocks, 0, 4));
}

TEST(EpochOrder, AWindowReadsFewRangesOfNeighbours) {
  EpochOrder order(BatchPlan(10000, 50), {100, 1000}, 3, ShuffleStream::training);
  order.start(0);
  ASSERT_EQ(order.windows(), 10);
  for (std::int64_t window = 0; window < order.windows(); ++window) {
    const std::int64_t count = order.positions(window).size();
    EXPECT_LE(order.sequence(window, {0, count}).size(), 12U);
    std::vector<std::int64_t> parts;
    for (int rank = 0; rank < 3; ++rank)
      for (const RowRange& range : order.sequence(window, rows_of_rank(count, rank, 3)))
        for (std::int64_t cell = range.begin; cell < range.end; ++cell) parts.push_back(cell);
    std::vector<std::int64_t> cells = order.cells(window);
    std::sort(parts.begin(), parts.end());
    std::sort(cells.begin(), cells.end());
    EXPECT_EQ(parts, cells) << "the ranks' parts are the window";
  }
}

TEST(EpochOrder, EachWindowIsMixedInItsOwnWay) {
  EpochOrder order(BatchPlan(1000, 50), {10, 100}, 3, ShuffleStream::training);
  order.start(0);
  EXPECT_NE(order.permutation(0), order.permutation(1));
  EXPECT_NE(order.permutation(0), first_numbers(100));
}

/// Mean entropy of the group in batches, over that of drawing at random from all: cells lie on disk group by group.
double mixing(const std::vector<std::int64_t>& order, std::int64_t batch, std::int64_t groups) {
  const auto cells = static_cast<std::int64_t>(order.size());
  double sum = 0;
  for (std::int64_t begin = 0; begin < cells; begin += batch) {
    std::vector<double> count(static_cast<std::size_t>(groups));
    for (std::int64_t i = begin; i < begin + batch; ++i)
      ++count[static_cast<std::size_t>(order[static_cast<std::size_t>(i)] * groups / cells)];
    for (const double c : count)
      if (c > 0) sum -= c / static_cast<double>(batch) * std::log(c / static_cast<double>(batch));
  }
  return sum / static_cast<double>(cells / batch) / std::log(static_cast<double>(groups));
}

TEST(EpochOrder, BlocksMixAlmostAsWellAsAllCells) {
  constexpr std::int64_t cells = 64000;
  constexpr std::int64_t batch = 64;
  constexpr std::int64_t groups = 10;
  const double all = mixing(order_of(cells, batch, {}, 0), batch, groups);
  const double blocks = mixing(order_of(cells, batch, {64, 16000}, 0), batch, groups);
  const double unmixed = mixing(order_of(cells, batch, {64, 64}, 0), batch, groups);
  EXPECT_GT(all, 0.9);
  EXPECT_GT(blocks, 0.98 * all);
  EXPECT_LT(unmixed, 0.1) << "the measure tells a bad order";
}

/// Cells and values that all ranks see at each step, held or streamed.
std::vector<std::vector<float>> steps_of(int size, const Shuffle& shuffle, bool stream, std::int64_t first_step = 0) {
  constexpr std::int64_t cells = 203;
  const BatchPlan plan(cells, 24);
  std::vector<std::vector<std::vector<float>>> of_rank(static_cast<std::size_t>(size));
  run_as_threads(size, [&](Collectives& ranks) {
    const auto alone = single_rank();
    const Expression whole = small_expression(cells, 6, 2, *alone);
    Expression mine = small_expression(cells, 6, 2, ranks);
    if (stream) {
      mine.values = {};
      mine.values.columns = 36;
      mine.read = [&whole](RowRange rows) {
        CsrMatrix some;
        some.rows = rows.size();
        some.columns = 36;
        for (std::int64_t row = rows.begin; row < rows.end; ++row) {
          some.indices.insert(some.indices.end(), whole.values.row_indices(row).begin(),
                              whole.values.row_indices(row).end());
          some.values.insert(some.values.end(), whole.values.row_values(row).begin(),
                             whole.values.row_values(row).end());
          some.row_start.push_back(static_cast<std::int64_t>(some.indices.size()));
        }
        return some;
      };
    }
    Loader loader(mine, 24, 3, ShuffleStream::training, ranks, {.shuffle = shuffle});
    loader.start_epoch(2);
    auto& steps = of_rank[static_cast<std::size_t>(ranks.rank())];
    for (std::int64_t step = first_step; step < plan.steps; ++step) {
      const Batch batch = loader.batch(step);
      std::vector<float>& seen = steps.emplace_back();
      for (std::int64_t i = 0; i < batch.real; ++i) {
        seen.push_back(static_cast<float>(batch.cells[static_cast<std::size_t>(i)]));
        seen.insert(seen.end(), batch.values.begin() + i * 36, batch.values.begin() + (i + 1) * 36);
      }
    }
  });
  std::vector<std::vector<float>> all(of_rank.front().size());
  for (const auto& steps : of_rank)
    for (std::size_t step = 0; step < steps.size(); ++step)
      all[step].insert(all[step].end(), steps[step].begin(), steps[step].end());
  return all;
}

TEST(StreamedLoader, SeesWhatAHeldOneSeesOnAnyNumberOfRanks) {
  const Shuffle blocks{8, 64};
  const auto held = steps_of(1, blocks, false);
  for (const int size : {1, 2, 3, 5}) {
    EXPECT_EQ(steps_of(size, blocks, true), held) << size << " ranks, streamed";
    EXPECT_EQ(steps_of(size, blocks, false), held) << size << " ranks, held";
  }
}

TEST(StreamedLoader, GoesOnInTheMiddleOfAnEpoch) {
  const Shuffle blocks{8, 64};
  const auto whole = steps_of(2, blocks, true);
  const auto rest = steps_of(2, blocks, true, 5);
  EXPECT_EQ(rest, std::vector(whole.begin() + 5, whole.end()));
}

TEST(StreamedLoader, AReadThatFailsOnOneRankIsAnErrorOnAll) {
  std::vector<std::string> messages(3);
  run_as_threads(3, [&](Collectives& ranks) {
    Expression expression = small_expression(100, 6, 2, ranks);
    const std::int64_t columns = expression.values.columns;
    expression.values = {};
    expression.values.columns = columns;
    expression.read = [&ranks](RowRange rows) -> CsrMatrix {
      if (ranks.rank() == 1) throw EnvironmentError("the disk is gone");
      CsrMatrix none;
      none.rows = rows.size();
      none.row_start.assign(static_cast<std::size_t>(rows.size()) + 1, 0);
      return none;
    };
    Loader loader(expression, 10, 3, ShuffleStream::training, ranks, {.shuffle = {10, 50}});
    loader.start_epoch(0);
    try {
      static_cast<void>(loader.batch(0));
    } catch (const EnvironmentError& e) {
      messages[static_cast<std::size_t>(ranks.rank())] = e.what();
    }
  });
  for (const std::string& message : messages)
    EXPECT_TRUE(message.starts_with("the disk is gone (on rank 1")) << message;
}

TEST(DataSettings, TheShuffleDependsOnTheDataAlone) {
  DataSettings settings;
  EXPECT_EQ(choose_shuffle(settings, 1000).block, 0);
  EXPECT_EQ(choose_shuffle(settings, std::int64_t{1} << 30).block, 256);
  settings.shuffle_block = "all";
  EXPECT_EQ(choose_shuffle(settings, std::int64_t{1} << 40).block, 0);
  settings.shuffle_block = "100";
  settings.shuffle_buffer = 10;
  EXPECT_EQ(choose_shuffle(settings, 1).block, 100);
  EXPECT_EQ(choose_shuffle(settings, 1).buffer, 100) << "a window holds a block";
  for (const char* bad : {"0", "-3", "some", "12x", ""}) {
    settings.shuffle_block = bad;
    EXPECT_THROW(validate(settings), UserError) << bad;
  }
}

TEST(BatchPlan, StepsDoNotOverflow) {
  const BatchPlan plan(10'000'000'000, 1);
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(plan.total_steps(3, 0), 30'000'000'000);
  EXPECT_EQ(plan.total_steps(1'000'000'000, 0), most);
  EXPECT_EQ(plan.total_steps(1'000'000'000, 5), 5);
  EXPECT_EQ(plan.total_steps(1, most), 10'000'000'000);
}

TEST(DataSettings, StreamsWhatDoesNotFit) {
  const Shuffle blocks{256, 65536};
  const DataBytes needed = data_bytes(1'000'000, 1'000'000'000, 2, blocks);
  EXPECT_GT(needed.resident, 4e9);
  EXPECT_LT(needed.streamed, 2e9);
  EXPECT_GT(data_bytes(1'000'000, 1'000'000'000, 1, blocks).resident, needed.resident);
  EXPECT_FALSE(decide_streaming(needed, needed.resident, true, blocks));
  EXPECT_TRUE(decide_streaming(needed, 1e9, true, blocks));
  EXPECT_TRUE(decide_streaming(needed, 1e9, false, blocks));
  EXPECT_FALSE(decide_streaming(needed, 1e9, false, {})) << "a warning";
  EXPECT_THROW(decide_streaming(needed, 1e9, true, {}), UserError);
}

}  // namespace
}  // namespace masksc
