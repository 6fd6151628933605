// The training engine: passes, buckets, sharding, precision, recomputation and loss scaling give what one plain step
// gives.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "courses.hpp"

namespace masksc {
namespace {

double distance(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

void expect_losses(const Course& course, const Course& reference, double tolerance) {
  ASSERT_EQ(course.losses.size(), reference.losses.size());
  for (std::size_t i = 0; i < reference.losses.size(); ++i)
    EXPECT_NEAR(course.losses[i] / reference.losses[i], 1, tolerance) << "step " << i + 1;
}

/// Losses agree to 1e-6; weights less, as Adam makes full steps of gradients that are nothing but rounding (those of
/// the keys' bias, which has no effect).
constexpr double weights_tolerance = 1e-5;

CourseOptions with(EngineSettings engine) {
  CourseOptions options;
  options.engine = engine;
  return options;
}

TEST(Engine, MicroBatchesEqualTheWholeBatch) {
  for (const double dropout : {0.0, 0.2}) {
    CourseOptions whole;
    whole.dropout = dropout;
    whole.engine.micro_batch = 16;
    const Course reference = course(1, whole);
    for (const int size : {1, 3})
      for (const std::int64_t cells_of_a_pass : {1, 5, 7}) {
        CourseOptions cut = whole;
        cut.engine.micro_batch = cells_of_a_pass;
        expect_losses(course(size, cut), reference, 1e-5);
      }
  }
}

TEST(Engine, PassesOnThreadsEqualPassesInTurn) {
  for (const bool shard : {false, true})
    for (const int size : {1, 2}) {
      CourseOptions options = with({.micro_batch = 3, .bucket_mib = 0.01, .shard_optimizer = shard});
      options.dropout = 0.2;
      options.recompute = {1, 0};
      const Course in_turn = course(size, options);
      options.threads = 3;
      const Course at_once = course(size, options);
      expect_losses(at_once, in_turn, 1e-5);
      EXPECT_TRUE(at::equal(at_once.weights, course(size, options).weights)) << "the same bits every time";
      options.train.precision = "bf16";
      expect_losses(course(size, options), in_turn, 0.02);
    }
}

TEST(Engine, SmallBucketsEqualOne) {
  for (const bool shard : {false, true}) {
    const Course reference = course(2, with({.bucket_mib = 100, .shard_optimizer = shard}));
    const Course cut = course(2, with({.bucket_mib = 1e-3, .shard_optimizer = shard}));
    EXPECT_LT(distance(cut.weights, reference.weights), weights_tolerance);
    expect_losses(cut, reference, 1e-6);
  }
}

TEST(Engine, AShardedOptimizerEqualsAWholeOne) {
  for (const int size : {1, 2, 3, 4}) {
    const Course whole = course(size, with({.bucket_mib = 0.01}));
    const Course sharded = course(size, with({.bucket_mib = 0.01, .shard_optimizer = true}));
    EXPECT_LT(distance(sharded.weights, whole.weights), weights_tolerance) << size;
    expect_losses(sharded, whole, 1e-6);
    EXPECT_NEAR(static_cast<double>(sharded.optimizer_elements), static_cast<double>(whole.optimizer_elements) / size,
                16);
  }
}

TEST(Engine, ACheckpointFitsAnyShardingBucketsAndRanks) {
  const Course reference = course(1, CourseOptions{});
  const TemporaryFolder folder;
  CourseOptions options = with({.bucket_mib = 0.01, .shard_optimizer = true});
  options.checkpoints = folder / "c";
  options.every = 5;
  const auto continued = [&](int size, EngineSettings engine, std::size_t steps) {
    std::filesystem::remove(folder / "c" / "step-00000012.h5");
    CourseOptions other = options;
    other.engine = engine;
    const Course rest = course(size, other);
    EXPECT_EQ(rest.losses.size(), steps);
    // Other ranks add up in another order, and Adam makes a whole step of a gradient that is all rounding.
    EXPECT_LT(distance(rest.weights, reference.weights), 5e-5);
  };
  course(2, options);
  continued(2, options.engine, 2);
  continued(3, {.bucket_mib = 1, .shard_optimizer = true}, 2);
  continued(1, {}, 2);
  continued(4, {.bucket_mib = 0.02, .shard_optimizer = true}, 2);
}

TEST(Engine, RecomputedActivationsGiveTheSameBits) {
  CourseOptions options;
  options.dropout = 0.2;
  const Course kept = course(1, options);
  for (const Recompute recompute : {Recompute{1, 1}, Recompute{2, 0}, Recompute{0, 3}}) {
    options.recompute = recompute;
    EXPECT_TRUE(at::equal(course(1, options).weights, kept.weights));
  }
}

TEST(Engine, TheCrossDecoderTrainsAsOneStepHoweverItIsCut) {
  CourseOptions options;
  options.decoder = Decoder::cross;
  options.dropout = 0.2;
  options.engine.micro_batch = 16;
  const Course whole = course(1, options);
  options.recompute = {1, 1};
  EXPECT_TRUE(at::equal(course(1, options).weights, whole.weights));
  for (const int size : {1, 3}) {
    options.engine = {.micro_batch = 5, .bucket_mib = 0.01, .shard_optimizer = true};
    expect_losses(course(size, options), whole, 1e-5);
  }
  options.threads = 3;
  expect_losses(course(2, options), whole, 1e-5);
  for (const char* precision : {"bf16", "fp16"}) {
    options.train.precision = precision;
    const Course low = course(2, options);
    EXPECT_NE(low.losses, whole.losses);
    expect_losses(low, whole, 0.02);
  }
  options = {};
  options.dropout = 0.2;
  EXPECT_NE(course(1, options).losses, whole.losses) << "the paper's decoder is another";
}

TEST(Engine, GradientsInBfloat16StayClose) {
  CourseOptions options;
  const Course exact = course(3, options);
  options.train.reduce_precision = "bf16";
  for (const bool shard : {false, true}) {
    options.engine.shard_optimizer = shard;
    const Course rounded = course(3, options);
    EXPECT_FALSE(at::equal(rounded.weights, exact.weights));
    expect_losses(rounded, exact, 1e-2);
  }
}

TEST(Engine, LowPrecisionStaysWithinTwoPercent) {
  CourseOptions options;
  const Course exact = course(1, options);
  for (const char* precision : {"bf16", "fp16"}) {
    options.train.precision = precision;
    for (const int size : {1, 2}) {
      const Course low = course(size, options);
      EXPECT_NE(low.losses, exact.losses);
      expect_losses(low, exact, 0.02);
      EXPECT_EQ(low.weights.scalar_type(), at::kFloat);
    }
    options.recompute = {1, 1};
    options.engine.micro_batch = 5;
    expect_losses(course(2, options), exact, 0.02);
  }
}

/// Two parameters and a loss that a test chooses.
struct Toy {
  explicit Toy(const char* precision, Collectives& ranks)
      : parameters({{"matrix", {3, 2}, Initial::ones(), true}, {"bias", {3}, Initial::zeros(), false}}, 0, 0, at::kCPU),
        engine(parameters, settings(precision), {}, ranks) {}
  static TrainSettings settings(const char* precision) {
    TrainSettings made;
    made.precision = precision;
    return made;
  }
  /// A step on `factor` * sum of the parameters.
  StepReport step(double factor, std::int64_t passes = 1) {
    return engine.step({.count = passes,
                        .loss =
                            [&](const std::vector<at::Tensor>&) {
                              return LossShares{
                                  (parameters.at("matrix").sum() + parameters.at("bias").sum()).to(at::kFloat) * factor,
                                  {}};
                            }},
                       0, 0.1, {});
  }
  FlatParameters parameters;
  TrainingEngine engine;
};

TEST(LossScaling, AnOverflowIsLeftOutOnEveryRankAndHalvesTheScale) {
  const TemporaryFolder shared;
  run_as_threads(2, [&](Collectives& ranks) {
    Toy toy("fp16", ranks);
    const double scale = toy.engine.loss_scale().scale;
    const at::Tensor before = toy.parameters.values().clone();
    EXPECT_FALSE(toy.step(1e-3).skipped);
    EXPECT_FALSE(at::equal(toy.parameters.values(), before));
    const at::Tensor after = toy.parameters.values().clone();
    // On rank 1 alone: 10 * 65536 is beyond float16.
    const StepReport report = toy.step(ranks.rank() == 1 ? 10 : 1e-3);
    EXPECT_TRUE(report.skipped);
    EXPECT_TRUE(at::equal(toy.parameters.values(), after));
    EXPECT_EQ(toy.engine.loss_scale().scale, scale / 2);
    EXPECT_FALSE(toy.step(1e-3).skipped);

    CheckpointFolder checkpoints(shared / "c", "step", CheckpointIdentity{{"data", "d"}}, Retention{}, ranks);
    SavedState state = toy.engine.state(false);
    EXPECT_EQ(state.header.at("optimizer_steps"), 2);
    EXPECT_EQ(state.header.at("precision"), "fp16");
    checkpoints.begin(3, state.header, state.arrays, false);
    checkpoints.complete();
    Toy other("fp16", ranks);
    other.engine.restore(checkpoints.load().value());
    EXPECT_TRUE(at::equal(other.parameters.values(), toy.parameters.values()));
    EXPECT_EQ(other.engine.loss_scale().scale, scale / 2);
    EXPECT_EQ(other.engine.loss_scale().good_steps, 1);
  });
}

TEST(LossScaling, BeginsAnewAfterAnotherPrecision) {
  const TemporaryFolder folder;
  const auto alone = single_rank();
  Toy toy("fp32", *alone);
  toy.step(1e-3);
  CheckpointFolder checkpoints(folder / "c", "step", CheckpointIdentity{{"data", "d"}}, Retention{}, *alone);
  SavedState state = toy.engine.state(false);
  checkpoints.begin(1, state.header, state.arrays, false);
  checkpoints.complete();
  Toy other("fp16", *alone);
  const double scale = other.engine.loss_scale().scale;
  other.engine.restore(checkpoints.load().value());
  EXPECT_EQ(other.engine.loss_scale().scale, scale);
  EXPECT_GT(scale, 1);
}

TEST(LossScaling, GrowsAfterTwoThousandGoodSteps) {
  LossScale scale{1024, 0, true};
  for (int i = 0; i < 1999; ++i) scale.update(false);
  EXPECT_EQ(scale.scale, 1024);
  scale.update(false);
  EXPECT_EQ(scale.scale, 2048);
  EXPECT_EQ(scale.good_steps, 0);
}

TEST(LossScaling, WithoutItANumberThatIsNotFiniteIsABadStep) {
  const auto alone = single_rank();
  for (const char* precision : {"fp32", "bf16"}) {
    Toy toy(precision, *alone);
    const at::Tensor before = toy.parameters.values().clone();
    const StepReport report = toy.step(std::numeric_limits<double>::infinity());
    EXPECT_TRUE(report.bad && report.skipped);
    EXPECT_TRUE(at::equal(toy.parameters.values(), before));
  }
}

TEST(LossScaling, FallsForGradientsToOneAndNotForTheLoss) {
  const auto alone = single_rank();
  Toy toy("fp16", *alone);
  const double scale = toy.engine.loss_scale().scale;
  const StepReport report = toy.step(std::numeric_limits<double>::infinity());
  EXPECT_TRUE(report.bad && report.skipped) << "no scale helps a loss that is not finite";
  EXPECT_EQ(toy.engine.loss_scale().scale, scale);
  int steps = 0;
  while (steps < 100 && !toy.step(1e5).bad) ++steps;  // beyond float16 at any scale
  EXPECT_EQ(steps, 16);                               // 65536 = 2^16 halvings
  EXPECT_EQ(toy.engine.loss_scale().scale, 1);
}

TEST(Engine, PartsOfAStepAddUpToItsTime) {
  const auto alone = single_rank();
  FlatParameters parameters({{"matrix", {3, 2}, Initial::ones(), true}}, 0, 0, at::kCPU);
  TrainingEngine engine(parameters, {}, {}, *alone, 2);
  for (const int slow : {0, 1}) {  // whichever thread it falls to
    const auto pause = [&](std::int64_t pass) {
      if (pass == slow) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    };
    std::atomic<std::int64_t> begun = 0;
    const StepReport report = engine.step({.count = 2,
                                           .loss =
                                               [&](const std::vector<at::Tensor>& /*inputs*/) {
                                                 pause(begun++);
                                                 return LossShares{parameters.at("matrix").sum(), {}};
                                               }},
                                          0, 0.1, {});
    EXPECT_GE(report.seconds.sum(), 0.05);
    EXPECT_GE(report.seconds.forward, report.seconds.backward);
  }
}

TEST(Parameters, AWorkingCopyFollowsTheValuesAndGoesAway) {
  FlatParameters parameters({{"w", {4}, Initial::normal(1), true}}, 3, 0, at::kCPU);
  parameters.set_working_type(at::kBFloat16);
  EXPECT_EQ(parameters.at("w").scalar_type(), at::kBFloat16);
  at::Tensor(parameters.values()).add_(1);
  parameters.refresh_working_copy();
  EXPECT_TRUE(at::equal(parameters.at("w").detach(), parameters.values().to(at::kBFloat16)));
  for (int pass = 0; pass < 3; ++pass) (parameters.at("w") * 0.25).sum().backward();
  EXPECT_TRUE(at::equal(parameters.gradients(), at::full({4}, 0.75F)));
  parameters.set_working_type(at::kFloat);
  EXPECT_TRUE(at::equal(parameters.at("w").detach(), parameters.values()));
}

}  // namespace
}  // namespace masksc
