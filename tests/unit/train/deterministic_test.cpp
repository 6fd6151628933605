// --deterministic: 1, 2, 4 and 8 ranks give the same bits, which differ from an ordinary training's by rounding only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "courses.hpp"
#include "host_rank.hpp"
#include "masksc/model/recompute.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/train/sequence_trainer.hpp"

namespace masksc {
namespace {

/// Ranks are threads of one process here, so that LibTorch's own threads are a setting of them all.
class Deterministic : public testing::Test {
  OneThreadEach each_;
};

CourseOptions deterministic(std::int64_t shards = 8) {
  CourseOptions options;
  options.train.deterministic = true;
  options.train.virtual_shards = shards;
  return options;
}

/// The course on 1, 2, ... ranks, as many as there are shards at most, with more threads on fewer ranks.
void expect_same_bits(CourseOptions options, const std::string& what) {
  const Course alone = course(1, options);
  ASSERT_EQ(alone.losses.size(), 12U);
  for (int size = 1; size <= options.train.virtual_shards; size *= 2) {
    options.threads = size < 4 ? 3 : 1;
    const Course shared = course(size, options);
    EXPECT_TRUE(at::equal(shared.weights, alone.weights)) << what << ", " << size << " ranks";
    EXPECT_EQ(shared.losses, alone.losses) << what << ", " << size << " ranks";
  }
}

/// 50 cells in 4 batches of 12 and 13: parts of 8 hold 1 or 2 cells, of 4 hold 3 or 4.
TEST_F(Deterministic, StageTwoHasTheSameBitsOnAnyNumberOfRanks) {
  expect_same_bits(deterministic(), "plain");
  CourseOptions options = deterministic(4);
  options.dropout = 0.2;
  options.recompute = {1, 1};
  options.engine.micro_batch = 3;
  options.engine.bucket_mib = 0.01;
  expect_same_bits(options, "four shards in two passes, dropout, recomputation");
  options = deterministic();
  options.train.batch_size = 6;  // fewer cells than shards
  options.train.epochs = 2;
  options.train.max_steps = 12;
  expect_same_bits(options, "empty shards");
}

TEST_F(Deterministic, LowPrecisionToo) {
  for (const char* precision : {"bf16", "fp16"}) {
    CourseOptions options = deterministic(4);
    options.train.precision = precision;
    expect_same_bits(options, precision);
  }
}

TEST_F(Deterministic, StageTwoDiffersByRoundingOnly) {
  CourseOptions options = deterministic();
  const Course shards = course(1, options);
  options.train.deterministic = false;
  const Course plain = course(1, options);
  EXPECT_FALSE(at::equal(shards.weights, plain.weights));
  for (std::size_t i = 0; i < plain.losses.size(); ++i) EXPECT_NEAR(shards.losses[i] / plain.losses[i], 1, 1e-5) << i;
}

TEST_F(Deterministic, GoesOnExactlyOnAnotherNumberOfRanks) {
  const Course whole = course(1, deterministic());
  const TemporaryFolder folder;
  CourseOptions options = deterministic();
  options.checkpoints = folder / "c";
  options.every = 5;
  course(2, options);  // saves at 5, 10 and the end
  std::filesystem::remove(folder / "c" / "step-00000012.h5");
  const Course rest = course(8, options);
  EXPECT_EQ(rest.losses.size(), 2U);
  EXPECT_TRUE(at::equal(rest.weights, whole.weights));
}

TEST_F(Deterministic, AnOverflowInOneShardIsLeftOutOnEveryRank) {
  std::vector<at::Tensor> values;
  for (const int size : {1, 2, 4})
    run_as_threads(size, [&](Collectives& ranks) {
      FlatParameters parameters({{"matrix", {3, 2}, Initial::normal(1), true}}, 0, 0, at::kCPU);
      TrainSettings settings;
      settings.precision = "fp16";
      settings.deterministic = true;
      settings.virtual_shards = 4;
      TrainingEngine engine(parameters, settings, {}, ranks, 2);
      const auto step = [&](double factor_of_shard_2) {
        const std::int64_t mine = 4 / ranks.size();
        return engine.step({.count = mine,
                            .inputs =
                                [&](std::int64_t shard) {
                                  const bool second = ranks.rank() * mine + shard == 2;
                                  return std::vector{at::full({}, second ? factor_of_shard_2 : 1e-3, at::kDouble)};
                                },
                            .loss =
                                [&](const std::vector<at::Tensor>& in) {
                                  const double factor = in[0].item<double>();
                                  return LossShares{parameters.at("matrix").square().sum().to(at::kFloat) * factor, {}};
                                }},
                           0, 0.1, {});
      };
      EXPECT_FALSE(step(1e-3).skipped);
      EXPECT_TRUE(step(1e3).skipped);
      EXPECT_FALSE(step(2e-3).skipped);
      if (ranks.is_root()) values.push_back(parameters.values().clone());
    });
  for (const at::Tensor& each : values) EXPECT_TRUE(at::equal(each, values[0]));
}

TEST_F(Deterministic, GradientsOverNcclHaveTheBitsOfHostMemory) {
  HostNccl host(4);
  run_as_threads(4, [&](Collectives& ranks) {
    HostRank device(host, ranks);
    const auto summed = [&](std::unique_ptr<Transport> transport) {
      FlatParameters parameters({{"first", {5000}, Initial::normal(1), true}, {"bias", {7}, Initial::normal(1), false}},
                                0, 0, at::kCPU);
      parameters.set_working_type(at::kFloat, 2);
      GradientExchange exchange(parameters, {.bucket_mib = 4200 * 4 / 1048576.0, .tree = true}, ranks,
                                std::move(transport));
      parameters.zero_gradients();
      exchange.begin(2);
      for (int shard = 0; shard < 2; ++shard) {
        const ReplicaScope replica(shard);
        const double factor = std::exp(3.0 * ((2 * ranks.rank() + shard) % 5));
        ((parameters.at("first").sin() * factor).sum() + parameters.at("bias").exp().sum() / factor).backward();
      }
      exchange.finish();
      EXPECT_GE(exchange.exposed_seconds(), 0);
      EXPECT_EQ(exchange.mean_hidden(), ranks.size() > 1 ? std::optional(0.0) : std::nullopt);
      return parameters.gradients().clone();
    };
    const at::Tensor by_host = summed(host_transport(ranks));
    EXPECT_TRUE(at::equal(summed(device_transport(device.nccl, [&] { return &device.compute; })), by_host));
    EXPECT_GT(by_host.abs().min().item<double>(), 0);
    EXPECT_EQ(host.count(ranks.rank(), "ncclAllReduce"), 0) << "whose order of additions is NCCL's";
  });
}

TEST_F(Deterministic, RecomputationStaysInItsShard) {  // also when another thread runs the backward pass, as on a GPU
  FlatParameters parameters({{"w", {3}, Initial::normal(1), true}}, 0, 0, at::kCPU);
  parameters.set_working_type(at::kFloat, 2);
  at::Tensor loss;
  {
    const ReplicaScope replica(1);
    const at::Tensor x = at::ones({3}).requires_grad_();
    loss =
        recomputed([&](const at::Tensor& input, const at::Tensor& /*memory*/) { return input * parameters.at("w"); }, x)
            .sum();
  }
  loss.backward();
  EXPECT_TRUE(at::equal(parameters.gradients(), at::zeros({3}))) << "those of shard 0";
  parameters.combine_replicas_as_tree();
  EXPECT_TRUE(at::equal(parameters.gradients(), at::ones({3})));
}

struct StageOne {
  std::vector<double> losses;
  at::Tensor weights;  // with the running statistics
};

StageOne stage_one(int size, int shards, ContrastiveLoss loss, std::int64_t groups, std::int64_t batch_size = 20) {
  StageOne result;
  const TemporaryFolder logs;
  run_as_threads(size, [&](Collectives& ranks) {
    const Expression expression = small_expression(cells, side, patch, ranks);
    SequenceEncoder encoder({.groups = groups, .inputs = side * side / groups}, 2, 1, at::kCPU);
    RunLog log(logs / std::to_string(ranks.rank()));
    TrainContext context{ranks, log};
    context.shards = shards;
    SequenceSettings settings;
    settings.epochs = 2;
    settings.batch_size = batch_size;
    settings.dropout = 0.3;
    settings.temperature = 0.5;
    settings.loss = loss;
    train_sequence_encoder(encoder, {.expression = expression, .settings = settings, .seed = 6}, context);
    if (!ranks.is_root()) return;
    std::vector<at::Tensor> parts = {encoder.parameters().values()};
    for (const at::Tensor& running : encoder.running()) parts.push_back(running.flatten());
    result.weights = at::cat(parts);
  });
  std::ifstream lines(logs / "0");
  for (std::string line; std::getline(lines, line);)
    if (const Json entry = parse_json(line); entry.contains("loss")) result.losses.push_back(entry["loss"]);
  return result;
}

TEST_F(Deterministic, StageOneHasTheSameBitsOnAnyNumberOfRanks) {
  for (const auto& [loss, groups, batch_size] :
       {std::tuple{ContrastiveLoss::ntxent, 1, 20}, std::tuple{ContrastiveLoss::eq1, 9, 20},
        std::tuple{ContrastiveLoss::ntxent, 9, 6}}) {  // the last: fewer cells than shards
    const StageOne alone = stage_one(1, 8, loss, groups, batch_size);
    for (const int size : {2, 4, 8}) {
      const StageOne shared = stage_one(size, 8, loss, groups, batch_size);
      EXPECT_TRUE(at::equal(shared.weights, alone.weights)) << groups << " groups, " << size << " ranks";
      EXPECT_EQ(shared.losses, alone.losses);
    }
    at::set_num_threads(3);  // shards on three threads
    const StageOne threads = stage_one(1, 8, loss, groups, batch_size);
    at::set_num_threads(1);
    EXPECT_TRUE(at::equal(threads.weights, alone.weights));
  }
}

TEST_F(Deterministic, StageOneDiffersByRoundingOnly) {
  for (const std::int64_t groups : {1, 9}) {
    const StageOne shards = stage_one(1, 8, ContrastiveLoss::ntxent, groups);
    const StageOne plain = stage_one(1, 0, ContrastiveLoss::ntxent, groups);
    ASSERT_EQ(shards.losses.size(), plain.losses.size());
    for (std::size_t i = 0; i < plain.losses.size(); ++i) EXPECT_NEAR(shards.losses[i] / plain.losses[i], 1, 1e-5) << i;
    EXPECT_FALSE(at::equal(shards.weights, plain.weights));
    EXPECT_LT(((shards.weights - plain.weights).norm() / plain.weights.norm()).item<double>(), 2e-3);
  }
}

std::vector<at::Tensor> target_statistics(int size, int exact_threads) {
  std::vector<at::Tensor> found;
  run_as_threads(size, [&](Collectives& ranks) {
    Targets targets = targets_of(small_expression(300, side, patch, ranks), ranks, exact_threads, GuidanceTarget::both);
    if (ranks.is_root())
      for (const auto& [name, tensor] : targets.statistics()) found.push_back(tensor->clone());
  });
  return found;
}

TEST_F(Deterministic, StatisticsOfTheTargetsHaveTheSameBits) {
  const std::vector<at::Tensor> alone = target_statistics(1, 1);
  for (const int size : {1, 2, 3, 5, 8}) {
    const std::vector<at::Tensor> shared = target_statistics(size, 3);
    for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(at::equal(shared[i], alone[i])) << i << ", " << size;
  }
  const std::vector<at::Tensor> plain = target_statistics(1, 0);
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(at::allclose(alone[i], plain[i], 1e-5, 1e-6)) << i;
}

TEST_F(Deterministic, EmbeddingOnThreadsHasTheSameBits) {
  const auto ranks = single_rank();
  const Expression expression = small_expression(300, side, patch, *ranks);
  const MaskedAutoencoder model(small_shape(), 4, at::kCPU);
  const auto embedded = [&](int threads) {
    std::vector<std::int64_t> done;
    EmbeddingProgress all(300, 16);
    embed_cells(
        model, expression, Densifier(expression), at::kCPU, all, 1, [&](std::int64_t cells) { done.push_back(cells); },
        threads);
    EXPECT_EQ(done.back(), 300);
    EXPECT_THAT(all.done, testing::Each(1));
    return all.values.values;
  };
  EXPECT_EQ(embedded(3), embedded(1));
}

TEST_F(Deterministic, SaysWhatItDoesNotGoWith) {
  const TrainSettings good = deterministic().train;
  for (const int ranks : {1, 2, 4, 8}) EXPECT_NO_THROW(validate_deterministic(good, {}, ranks));
  const auto message = [](const TrainSettings& train, const EngineSettings& engine, int ranks) -> std::string {
    try {
      validate_deterministic(train, engine, ranks);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(good, {}, 3), testing::HasSubstr("1, 2, 4, 8 ranks, not 3"));
  EXPECT_THAT(message(good, {}, 16), testing::HasSubstr("1, 2, 4, 8 ranks, not 16"));
  EXPECT_THAT(message(good, {.shard_optimizer = true}, 2), testing::HasSubstr("--shard-optimizer"));
  TrainSettings other = good;
  other.reduce_precision = "bf16";
  EXPECT_THAT(message(other, {}, 2), testing::HasSubstr("--reduce-precision bf16"));
  other.deterministic = false;
  EXPECT_EQ(message(other, {.shard_optimizer = true}, 3), "");
  for (const std::int64_t shards : {0, 6, 2048}) {
    other.virtual_shards = shards;
    EXPECT_THROW(validate(other), UserError) << shards;
  }
}

}  // namespace
}  // namespace masksc
