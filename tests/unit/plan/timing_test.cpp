// The alpha-beta model: what it gives by hand, and how it must behave.
#include <gtest/gtest.h>

#include "masksc/plan/plan.hpp"
#include "paper.hpp"

namespace masksc {
namespace {

TEST(AllReduce, OneRankSendsNothing) {
  EXPECT_EQ(all_reduce_seconds(paper(), 1e9, 1), 0);
  EXPECT_EQ(step_time(paper(), 32, 1).sent_bytes, 0);
}

TEST(AllReduce, RingsInNodesAndBetweenThem) {
  PlanInput input = paper();
  input.gpus_per_node = 4;
  input.bucket_bytes = 1e9;
  input.device.link_bandwidth = 1e9;
  input.device.link_latency = 0.001;
  input.network.bandwidth = 1e8;
  input.network.latency = 0.01;
  EXPECT_DOUBLE_EQ(all_reduce_seconds(input, 1e9, 4), 2 * (3 * 0.001 + 0.75));
  EXPECT_DOUBLE_EQ(all_reduce_seconds(input, 1e9, 8), 2 * (3 * 0.001 + 0.75 + 0.01 + 5));
  EXPECT_DOUBLE_EQ(all_reduce_seconds(input, 2e9, 8), 2 * (6 * 0.001 + 1.5 + 0.02 + 10));  // two buckets
}

TEST(Step, BytesAreThoseOfARing) {
  const double gradients = 4.0 * 142805052;
  EXPECT_DOUBLE_EQ(step_time(paper(), 32, 8).sent_bytes, 2 * 7.0 / 8 * gradients);
  PlanInput input = paper();
  input.shard_optimizer = true;
  EXPECT_DOUBLE_EQ(step_time(input, 32, 8).sent_bytes, 2 * 7.0 / 8 * gradients);
  input.reduce_bytes = 2;
  EXPECT_DOUBLE_EQ(step_time(input, 32, 8).sent_bytes, 1.5 * 7 / 8 * gradients);
}

TEST(Step, ComputationIsModelFlopByUtilization) {
  PlanInput input = paper();
  EXPECT_DOUBLE_EQ(step_time(input, 32, 8).compute, 32 * 126769876992.0 / (989.4e12 * 0.35));
  input.precision = PlanPrecision::fp32;
  EXPECT_DOUBLE_EQ(step_time(input, 32, 8).compute, 32 * 126769876992.0 / (67e12 * 0.35));
}

TEST(Step, IsNoFasterThanItsHostStartsOperations) {
  PlanInput input = paper();
  input.device.operation = 1;
  input.micro_batch = 16;  // two passes of 20 blocks
  EXPECT_DOUBLE_EQ(step_time(input, 32, 1).compute, 2 * (100 + 20 * 60));
  input.encoder.recompute_every = 4;
  EXPECT_DOUBLE_EQ(step_time(input, 32, 1).compute, 2 * (100 + 20 * 60 + 12 * 12));
  input.device.operation = 0;
  EXPECT_LT(step_time(input, 32, 1).compute, 1);
}

TEST(Step, BackwardHidesCommunication) {
  PlanInput input = paper();
  input.device.operation = 0;
  EXPECT_EQ(step_time(input, 32, 8).exposed, 0);
  input.overlap = 0;
  EXPECT_EQ(step_time(input, 32, 8).exposed, step_time(input, 32, 8).communication);
  input.overlap = 0.9;
  input.network = network_preset("1gbe");
  const StepTime step = step_time(input, 32, 16);
  EXPECT_DOUBLE_EQ(step.exposed, step.communication - 0.9 * 2 / 3 * step.compute);
  input.micro_batch = 8;  // a quarter of the pass is the last micro-batch
  EXPECT_DOUBLE_EQ(step_time(input, 32, 16).exposed, step.communication - 0.25 * 0.9 * 2 / 3 * step.compute);
}

TEST(Step, CheckpointingTakesTimeAndShardingSavesIt) {
  PlanInput input = paper();
  const StepTime plain = step_time(input, 32, 8);
  input.encoder.recompute_every = input.decoder.recompute_every = 1;
  EXPECT_GT(step_time(input, 32, 8).compute, 1.3 * plain.compute);
  input.shard_optimizer = true;
  // 42 bytes a parameter; zeroing gradients and the bf16 copy (10) stay whole.
  EXPECT_DOUBLE_EQ(step_time(input, 32, 8).optimizer, plain.optimizer * (32.0 / 8 + 10) / 42);
}

TEST(Curve, StrongEndsWithTheBatchAndWeakAt1024) {
  const auto strong = strong_curve(paper());
  ASSERT_EQ(strong.size(), 8U);  // 252 cells a step: 1 .. 128
  EXPECT_EQ(strong.back().ranks, 128);
  EXPECT_EQ(strong.back().rows, 2);
  const auto weak = weak_curve(paper());
  ASSERT_EQ(weak.size(), 11U);
  EXPECT_EQ(weak.back().ranks, 1024);
  EXPECT_EQ(weak.back().rows, 32);
}

TEST(Curve, EfficiencyFallsFromOneAndCommunicationGrows) {
  for (const char* network : {"1gbe", "100gbe", "ndr400"}) {
    PlanInput input = paper();
    input.network = network_preset(network);
    for (const auto& curve : {strong_curve(input), weak_curve(input)}) {
      EXPECT_DOUBLE_EQ(curve.front().efficiency, 1);
      for (std::size_t i = 1; i < curve.size(); ++i) {
        EXPECT_LE(curve[i].efficiency, curve[i - 1].efficiency) << network << i;
        EXPECT_GT(curve[i].step.communication, curve[i - 1].step.communication) << network << i;
      }
    }
  }
}

TEST(Training, StepsAreTheLoaders) {
  EXPECT_EQ(planned_steps(paper()), 1600 * 17);
  PlanInput input = paper();
  input.max_steps = 10;
  EXPECT_EQ(planned_steps(input), 10);
}

TEST(Checkpointing, TableHasTheThreeModes) {
  const auto rows = checkpointing_table(paper());
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].mode, "none");
  EXPECT_EQ(rows[0].activations, memory_of(paper()).activations);
  EXPECT_EQ(rows[1].mode, "blocks");
  EXPECT_EQ(rows[3].mode, "every=4");
  for (std::size_t i = 1; i < rows.size(); ++i) EXPECT_LT(rows[i].activations, rows[0].activations);
}

TEST(Report, JsonHoldsTheContract) {
  const Json plan = plan_json(paper());
  EXPECT_EQ(plan.at("parameters").dump(), "142805052");
  EXPECT_EQ(plan.at("flop_per_cell").dump(), "126769876992");
  EXPECT_LT(plan.at("flop_per_cell_done"), plan.at("flop_per_cell"));
  EXPECT_EQ(plan.at("curve").at("weak").size(), 11U);
  EXPECT_TRUE(plan.at("memory_bytes").at("fits").get<bool>());
}

TEST(Report, TableSaysWhetherItFits) {
  PlanInput input = paper();
  EXPECT_NE(plan_table(input).find("fits the 79 GiB of h100"), std::string::npos);
  input.device.memory = 1e9;
  EXPECT_NE(plan_table(input).find("DOES NOT FIT"), std::string::npos) << plan_table(input);
}

}  // namespace
}  // namespace masksc
