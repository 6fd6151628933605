// Training that goes on from checkpoints: exactly, on any number of ranks, in the background, after bad steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>

#include "courses.hpp"
#include "masksc/core/files.hpp"
#include "masksc/train/saver.hpp"
#include "masksc/train/sequence_trainer.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<std::int64_t> steps_of(const Course& course, const std::string& event) {
  std::vector<std::int64_t> steps;
  for (const Json& line : course.events)
    if (line.value("event", "") == event) steps.push_back(line.at("step"));
  return steps;
}

TEST(Deal, EveryParameterGoesToOneRank) {
  const MaskedAutoencoder model(small_shape(), 4, at::kCPU);
  for (const int ranks : {1, 2, 3, 7, 200}) {
    const auto shares = deal_parameters(model.parameters(), ranks);
    ASSERT_EQ(shares.size(), static_cast<std::size_t>(ranks));
    std::size_t next = 0;
    std::int64_t begin = 0;
    for (const ParameterShare& share : shares) {
      EXPECT_EQ(share.first, next);
      EXPECT_EQ(share.begin, begin);
      next = share.last;
      begin = share.end;
    }
    EXPECT_EQ(next, model.parameters().specs().size());
    EXPECT_EQ(begin, model.parameters().count());
  }
}

TEST(Saver, ASaveThatCannotBeginIsNotTriedAgainAtOnce) {
  const auto ranks = single_rank();
  const TemporaryFolder folder;
  RunLog log(folder / "log.jsonl");
  TrainContext context{*ranks, log};
  CheckpointFolder checkpoints(folder / "gone", "step", CheckpointIdentity{{"data", "d"}}, Retention{2, 0}, *ranks);
  fs::remove(folder / "gone");
  Saver saver(&checkpoints, {.minutes = 0.01}, "train", context);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  const StepVotes due = saver.votes(false);
  EXPECT_TRUE(due.save);
  saver.after_step(7, 1, false, false, due, [](bool /*copy*/) { return SavedState{}; });
  EXPECT_FALSE(saver.votes(false).save);
  EXPECT_THAT(read_file(folder / "log.jsonl"), HasSubstr("\"step\":7"));
}

TEST(Checkpoint, InTheBackgroundItIsTheSame) {
  const Course whole = course(2, short_training());
  const TemporaryFolder folder;
  CourseOptions options;
  options.checkpoints = folder / "c";
  options.every = 2;
  options.background = true;
  const Course saved = course(2, options);
  EXPECT_TRUE(at::equal(saved.weights, whole.weights));
  EXPECT_EQ(steps_of(saved, "checkpoint").back(), 12);
  fs::remove(folder / "c" / "step-00000012.h5");
  const Course resumed = course(2, options);
  EXPECT_EQ(resumed.losses.size(), 2U);
  EXPECT_TRUE(at::equal(resumed.weights, whole.weights));
}

TEST(Checkpoint, AnyShardingAndAnyNumberOfRanksTakeItUp) {
  const Course whole = course(1, short_training());
  const TemporaryFolder folder;
  CourseOptions options;
  options.checkpoints = folder / "c";
  options.every = 3;
  options.train.max_steps = 0;
  options.engine.shard_optimizer = true;
  options.engine.bucket_mib = 0.003;
  course(3, options);
  fs::remove(folder / "c" / "step-00000012.h5");
  ASSERT_TRUE(fs::exists(folder / "c" / "step-00000009.h5"));
  for (const int size : {1, 2, 5}) {
    const TemporaryFolder copy;
    fs::copy(folder / "c", copy / "c", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    options.checkpoints = copy / "c";
    options.engine.shard_optimizer = size == 5;
    const Course resumed = course(size, options);
    ASSERT_EQ(resumed.losses.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(resumed.losses[i] / whole.losses[9 + i], 1, 1e-5) << size;
  }
}

/// Makes the values of one cell infinite on the rank that has it.
void spoil_a_cell(Expression& expression) {
  if (expression.rows.begin > 20 || expression.rows.end <= 20) return;
  const auto row = static_cast<std::size_t>(20 - expression.rows.begin);
  for (auto i = expression.values.row_start[row]; i < expression.values.row_start[row + 1]; ++i)
    expression.values.values[static_cast<std::size_t>(i)] = std::numeric_limits<float>::quiet_NaN();
}

TEST(BadSteps, OneThatIsNotFiniteIsLeftOutOnAllRanks) {
  CourseOptions options;
  options.spoil = spoil_a_cell;
  const Course spoilt = course(2, options);
  ASSERT_EQ(spoilt.losses.size(), 12U);  // the cell spoils one step an epoch
  EXPECT_EQ(std::count_if(spoilt.losses.begin(), spoilt.losses.end(), [](double x) { return std::isnan(x); }), 3);
  EXPECT_TRUE(spoilt.weights.isfinite().all().item<bool>());
}

TEST(BadSteps, TooManyGoBackToTheLastCheckpointOnceAndThenGiveUp) {
  const TemporaryFolder folder;
  CourseOptions options;
  options.checkpoints = folder / "c";
  options.every = 2;
  options.train.max_steps = 4;
  course(2, options);
  options.train.max_steps = 0;
  options.train.learning_rate = 1e30;
  try {
    course(2, options);
    ADD_FAILURE() << "it should give up";
  } catch (const UserError& e) {
    EXPECT_THAT(e.what(), HasSubstr("3 steps in a row"));
    EXPECT_THAT(e.what(), HasSubstr("also after going back"));
    EXPECT_THAT(e.what(), HasSubstr("--learning-rate"));
  }
}

TEST(BadSteps, WithoutACheckpointTheyEndEveryRank) {
  CourseOptions options;
  options.train.learning_rate = 1e30;
  EXPECT_THROW(course(2, options), UserError);
}

TEST(SequenceTrainer, GoesOnExactlyFromACheckpoint) {
  const auto trained = [](const fs::path& folder, std::int64_t every) {
    at::Tensor all;
    std::int64_t resumed = -1;
    run_as_threads(2, [&](Collectives& ranks) {
      const Expression expression = small_expression(cells, side, patch, ranks);
      SequenceEncoder encoder({.groups = 1, .inputs = side * side}, 2, 1, at::kCPU);
      const TemporaryFolder logs;
      RunLog log(logs / "log");
      TrainContext context{ranks, log};
      SequenceSettings settings;
      settings.epochs = 4;
      settings.batch_size = 20;
      settings.dropout = 0.3;
      CheckpointFolder checkpoints(folder, "sequence", CheckpointIdentity{{"data", "d"}}, Retention{10, 0}, ranks);
      const auto found = checkpoints.load();
      train_sequence_encoder(encoder,
                             {.expression = expression,
                              .settings = settings,
                              .seed = 6,
                              .cadence = {.steps = every},
                              .checkpoints = &checkpoints},
                             context);
      if (!ranks.is_root()) return;
      if (found) resumed = found->step;
      all = encoder.parameters().values().clone();
      for (const at::Tensor& tensor : encoder.running()) all = at::cat({all, tensor.flatten()});
    });
    return std::pair(all, resumed);
  };
  const TemporaryFolder folder;
  const auto [whole, none] = trained(folder / "whole", 1000);
  EXPECT_EQ(none, -1);
  const auto [saving, still_none] = trained(folder / "parts", 5);  // of 12 steps: saves 5 and 10
  EXPECT_TRUE(at::equal(saving, whole));
  for (const std::int64_t step : {10, 5}) {
    const auto [resumed, from] = trained(folder / "parts", 1000);
    EXPECT_EQ(from, step);
    EXPECT_TRUE(at::equal(resumed, whole)) << "from step " << step;
    fs::remove(folder / "parts" / fmt::format("sequence-{:08}.h5", step));
  }
}

}  // namespace
}  // namespace masksc
