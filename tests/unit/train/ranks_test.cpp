// Training over ranks equals training on one, goes on exactly after a checkpoint, and survives damaged ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "courses.hpp"
#include "masksc/core/files.hpp"
#include "masksc/data/loader.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/train/sequence_trainer.hpp"

namespace masksc {
namespace {

TEST(Train, LossesDoNotDependOnTheNumberOfRanks) {
  for (const double dropout : {0.0, 0.2}) {
    const Course alone = course(1, short_training(), dropout);
    ASSERT_EQ(alone.losses.size(), 12U);
    EXPECT_LT(alone.losses.back(), alone.losses.front());
    for (const int size : {2, 3, 4}) {
      const Course shared = course(size, short_training(), dropout);
      ASSERT_EQ(shared.losses.size(), alone.losses.size());
      for (std::size_t i = 0; i < alone.losses.size(); ++i)
        EXPECT_NEAR(shared.losses[i] / alone.losses[i], 1, 1e-5) << size << " ranks, step " << i + 1;
    }
  }
}

TEST(Train, NamesARankThatTakesAFifthLonger) {
  CourseOptions options;
  options.train.max_steps = 2;  // half an epoch
  options.before_step = [](int rank) { std::this_thread::sleep_for(std::chrono::milliseconds(rank == 1 ? 900 : 550)); };
  std::vector<std::string> warnings;
  for (const Json& event : course(3, options).events)
    if (event.at("event") == "warning") warnings.push_back(event.at("message"));
  ASSERT_EQ(warnings.size(), 1);
  EXPECT_THAT(warnings[0], testing::HasSubstr("rank 1 computes"));
}

TEST(Train, RanksThatRoundOtherwiseTakeTheWeightsOfRankZero) {
  CourseOptions options;
  options.train.max_steps = 2;
  options.change_weights = [](int rank, at::Tensor& weights) { weights.add_(rank == 2 ? 1e-4 : 0); };
  const Course ended = course(3, options);
  for (const at::Tensor& weights : ended.other_weights) EXPECT_TRUE(at::equal(weights, ended.weights));
  const Json& told = ended.events.back();
  EXPECT_EQ(told.at("event"), "warning");
  EXPECT_THAT(told.at("message").get<std::string>(),
              testing::HasSubstr("rank 2 rounds otherwise than rank 0: weights differed by up to 1.0e-04"));
}

TEST(Train, TheSameRunTwiceHasTheSameBits) {
  EXPECT_TRUE(at::equal(course(3, short_training()).weights, course(3, short_training()).weights));
}

TEST(Train, GoesOnExactlyAfterACheckpoint) {
  const Course whole = course(2, short_training());
  const TemporaryFolder folder;
  TrainSettings part = short_training();
  course(2, part, 0, folder / "checkpoints", 5);  // saves at 5, 10 and the end
  std::filesystem::remove(folder / "checkpoints" / "step-00000012.h5");
  const Course resumed = course(2, part, 0, folder / "checkpoints", 5);
  EXPECT_EQ(resumed.losses.size(), 2U);  // steps 11 and 12
  EXPECT_TRUE(at::equal(resumed.weights, whole.weights));
}

TEST(Checkpoint, ADamagedOneIsSetAsideAndTheOneBeforeUsed) {
  const TemporaryFolder folder;
  const Course whole = course(1, short_training(), 0, folder / "checkpoints", 5);
  std::filesystem::remove(folder / "checkpoints" / "step-00000012.h5");
  course(1, short_training(), 0, folder / "checkpoints", 5);  // leaves 10 and 12
  std::string bytes = read_file(folder / "checkpoints" / "step-00000012.h5");
  for (const std::size_t at : {bytes.size() / 2, bytes.size() - 500}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    write_file(folder / "checkpoints" / "step-00000012.h5", damaged);
    const Course resumed = course(1, short_training(), 0, folder / "checkpoints", 5);
    EXPECT_EQ(resumed.losses.size(), 2U) << "byte " << at;
    EXPECT_TRUE(at::equal(resumed.weights, whole.weights));
    EXPECT_TRUE(std::filesystem::exists(folder / "checkpoints" / "step-00000012.h5.damaged"));
    std::filesystem::remove(folder / "checkpoints" / "step-00000012.h5.damaged");
  }
}

TEST(SequenceTrainer, EqualsOneRank) {
  const auto trained = [](int size, ContrastiveLoss loss, std::int64_t groups) {
    at::Tensor weights;
    run_as_threads(size, [&](Collectives& ranks) {
      const Expression expression = small_expression(cells, side, patch, ranks);
      SequenceEncoder encoder({.groups = groups, .inputs = side * side / groups}, 2, 1, at::kCPU);
      RunLog log;
      TrainContext context{ranks, log};
      SequenceSettings settings;
      settings.epochs = 2;
      settings.batch_size = 20;
      settings.dropout = 0.3;
      settings.temperature = 0.5;
      settings.loss = loss;
      train_sequence_encoder(encoder, {.expression = expression, .settings = settings, .seed = 6}, context);
      if (ranks.is_root()) weights = at::cat({encoder.parameters().values(), encoder.running()[1].flatten()});
    });
    return weights;
  };
  for (const ContrastiveLoss loss : {ContrastiveLoss::ntxent, ContrastiveLoss::eq1})
    for (const std::int64_t groups : {1, 9}) {
      const at::Tensor alone = trained(1, loss, groups);
      for (const int size : {2, 3})  // Adam turns rounding of tiny gradients into steps: compare norm-wise
        EXPECT_LT(((trained(size, loss, groups) - alone).norm() / alone.norm()).item<double>(), 2e-3);
    }
}

TEST(Embed, BitsDoNotDependOnTheNumberOfRanks) {
  const auto embedding = [](int size) {
    std::vector<float> all;
    run_as_threads(size, [&](Collectives& ranks) {
      const Expression expression = small_expression(300, side, patch, ranks);
      const MaskedAutoencoder model(small_shape(), 4, at::kCPU);
      EmbeddingProgress mine(expression.rows.size(), 16);
      embed_cells(model, expression, Densifier(expression), at::kCPU, mine, ranks.size());
      const std::vector<float> gathered = ranks.gather_varied(std::span<const float>(mine.values.values));
      if (ranks.is_root()) all = gathered;
    });
    return all;
  };
  const std::vector<float> alone = embedding(1);
  EXPECT_EQ(alone.size(), 300U * 16U);
  for (const int size : {2, 3, 5}) EXPECT_EQ(embedding(size), alone);
}

TEST(Embed, FeaturesMayBeWhatTheMeanOfTheTokensPredicts) {
  const auto ranks = single_rank();
  const Expression expression = small_expression(200, side, patch, *ranks);
  AutoencoderShape shape = small_shape();
  shape.teacher_features = 5;
  const auto embedding = [&](bool predicted) {
    shape.predicted_features = predicted;
    const MaskedAutoencoder model(shape, 4, at::kCPU);
    EXPECT_EQ(model.shape().cell_features(), predicted ? 5 : 16);
    EmbeddingProgress mine(200, model.shape().cell_features());
    embed_cells(model, expression, Densifier(expression), at::kCPU, mine, 1);
    return at::from_blob(mine.values.values.data(), {200, model.shape().cell_features()}).clone();
  };
  const MaskedAutoencoder model(shape, 4, at::kCPU);
  const at::Tensor expected =
      at::matmul(embedding(false), model.parameters().at("guide.weight").t()) + model.parameters().at("guide.bias");
  EXPECT_TRUE(at::allclose(embedding(true), expected.detach(), 1e-4, 1e-5));
}

TEST(Parameters, StartTheSameEverywhereAndDecayOnlyMatrices) {
  const MaskedAutoencoder a(small_shape(), 4, at::kCPU);
  EXPECT_EQ(a.parameters().hash(), MaskedAutoencoder(small_shape(), 4, at::kCPU).parameters().hash());
  EXPECT_NE(a.parameters().hash(), MaskedAutoencoder(small_shape(), 5, at::kCPU).parameters().hash());
  for (const ParameterSpec& spec : a.parameters().specs()) EXPECT_EQ(spec.decay, spec.shape.size() == 2) << spec.name;
}

TEST(Schedule, WarmsUpThenFallsToZero) {
  EXPECT_NEAR(scheduled_learning_rate(0, 100, 1.0, 0.1), 0.1, 1e-12);
  EXPECT_NEAR(scheduled_learning_rate(9, 100, 1.0, 0.1), 1.0, 0.03);
  EXPECT_NEAR(scheduled_learning_rate(50, 100, 1.0, 0.1), 0.5, 1e-12);
  EXPECT_LT(scheduled_learning_rate(99, 100, 1.0, 0.1), 1e-3);
}

}  // namespace
}  // namespace masksc
