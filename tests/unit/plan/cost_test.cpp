// Parameters, FLOP and memory against numbers counted elsewhere, and how they change.
#include "masksc/plan/cost.hpp"

#include <gtest/gtest.h>

#include "paper.hpp"

namespace masksc {
namespace {

// PyTorch's own count of the peer (../shared/bench/torch_peer.py), whose parameters are ours without guidance:
//   m = torch_peer.MaskedAutoencoder(64, 4, 768, 12, 8, 12, 16, 60); sum(q.numel() for q in m.parameters())
TEST(Cost, ParametersOfThePaper) { EXPECT_EQ(parameter_count(paper()), 142805052); }

TEST(Cost, ParametersFollowPositionsAndGuidance) {
  PlanInput input = paper();
  input.learned_positions = false;
  input.teacher_features = 60;
  EXPECT_EQ(parameter_count(input), 142805052 - 2 * 256 * 768 + (768 + 1) * 60);
}

// python -c "import sys; sys.path.insert(0, '../shared/bench'); import torch_peer, argparse; print(
//   torch_peer.flop_per_cell(argparse.Namespace(side=64, patch=4, dim=768, enc=12, dec=8, mask=.75, target=60)))"
TEST(Cost, FormulaIsThePeersForThePaper) { EXPECT_EQ(formula_step_flop(paper()), 126769876992); }

// The same with dim=192, enc=4, dec=2: the benchmark on CPUs.
TEST(Cost, FormulaIsThePeersForTheBenchmark) {
  PlanInput input = paper();
  input.dim = 192;
  input.encoder.depth = 4;
  input.decoder.depth = 2;
  EXPECT_EQ(formula_step_flop(input), 2476684800);
}

TEST(Cost, DoesLessThanTheFormulaWhereTokensAreLeftOut) {
  const ForwardFlop formula = formula_flop(paper());
  const ForwardFlop done = done_flop(paper());
  EXPECT_EQ(done.embedding, formula.embedding * 64 / 256);
  EXPECT_EQ(done.head, formula.head * 192 / 256);
  EXPECT_EQ(done.bridge, formula.bridge * 65 / 256);
  EXPECT_EQ(done.encoder, formula.encoder);
  EXPECT_EQ(done.decoder, formula.decoder);
  EXPECT_EQ(done.targets, 256 * 2.0 * (16 * 200 + 200 * 40 + 40 * 60));
  PlanInput fewer = paper();
  fewer.last_queries = 192;
  EXPECT_LT(done_flop(fewer).decoder, done.decoder);
  fewer.last_queries = 257;
  EXPECT_EQ(done_flop(fewer).decoder, done.decoder);
}

TEST(Cost, CrossDecoderLeavesTheVisibleTokensOut) {
  PlanInput input = paper();
  input.last_queries = 193;
  input.cross_decoder = true;
  EXPECT_EQ(parameter_count(input), parameter_count(paper()));
  // 8 blocks: keys and values of 65 tokens; queries, projection and MLP of 193; attention of 193 to 65.
  const double decoder = 8 * (2 * 768.0 * 768 * (2 * 65 + 10 * 193) + 4 * 193.0 * 65 * 768);
  EXPECT_EQ(done_flop(input).decoder, decoder);
  EXPECT_EQ(formula_flop(input).decoder, decoder);
  EXPECT_EQ(done_flop(input).encoder, done_flop(paper()).encoder);
  EXPECT_LT(activation_bytes(input, 1), 0.9 * activation_bytes(paper(), 1));
}

TEST(Cost, RecomputationCountsTheCheckpointedStacks) {
  PlanInput input = paper();
  EXPECT_EQ(recompute_flop(input), 0);
  input.encoder.recompute_every = 1;
  EXPECT_EQ(recompute_flop(input), done_flop(input).encoder);
  input.decoder.recompute_every = 4;
  EXPECT_EQ(recompute_flop(input), done_flop(input).encoder + done_flop(input).decoder);
}

// Storages that torch.autograd.graph.saved_tensors_hooks sees of torch_peer.Block(64, 4) on [2, 33, 64], for one cell
// of the two; in bf16 a GPU keeps the norms' statistics in fp32.
TEST(Cost, BlockKeepsWhatAutogradSaves) {
  PlanInput input = paper();
  input.dim = 64;
  input.precision = PlanPrecision::fp32;
  EXPECT_EQ(block_activation_bytes(input, 33, 33, 4), 272448 / 2);
  input.precision = PlanPrecision::half;
  EXPECT_EQ(block_activation_bytes(input, 33, 33, 4), 16 * 33 * 64 * 2 + (4 * 33 + 33 * 4) * 4);
  input.attention_weights = true;  // [4, 33, 33] in place of [4, 33] log sums
  EXPECT_EQ(block_activation_bytes(input, 33, 33, 4), 16 * 33 * 64 * 2 + 4 * 33 * 4 + 4 * 33 * 33 * 2);
}

TEST(Memory, ByPart) {
  const PlanMemory half = memory_of(paper());
  const double parameters = 142805052;
  EXPECT_EQ(half.weights, 6 * parameters);
  EXPECT_EQ(half.gradients, 4 * parameters);
  EXPECT_EQ(half.optimizer, 8 * parameters);
  PlanInput input = paper();
  input.precision = PlanPrecision::fp32;
  const PlanMemory full = memory_of(input);
  EXPECT_EQ(full.weights, 4 * parameters);
  EXPECT_NEAR(full.activations / half.activations, 2, 0.02);
  EXPECT_EQ(full.total(), full.weights + full.gradients + full.optimizer + full.activations + full.data + full.buffers);
}

TEST(Memory, OfPrincipalComponentsIsThePeakOfASmallModel) {
  EXPECT_EQ(memory_of(paper()).components, 8.0 * 4096 * 4096);
  EXPECT_EQ(memory_of(paper()).peak(), memory_of(paper()).total());
  PlanInput input = paper();
  input.dim = 16;
  input.encoder.depth = input.decoder.depth = 1;
  input.encoder.heads = input.decoder.heads = 1;
  input.batch = 8;
  EXPECT_EQ(memory_of(input).peak(), memory_of(input).components);
}

TEST(Memory, AsyncCheckpointsOfCpusKeepASnapshotOfEachRanksPart) {
  PlanInput input = paper();
  const PlanMemory without = memory_of(input);
  input.async_checkpoint = true;
  EXPECT_EQ(memory_of(input).total(), without.total()) << "a GPU's snapshot is in host memory";
  input.device_name = "cpu";
  const PlanMemory with = memory_of(input);
  input.async_checkpoint = false;
  EXPECT_EQ(with.total() - memory_of(input).total(), 142805052 * 3.0 * 4 / static_cast<double>(input.ranks));
}

TEST(Memory, ShardingDividesTheOptimizer) {
  PlanInput input = paper();
  input.shard_optimizer = true;
  EXPECT_EQ(memory_of(input).optimizer, memory_of(paper()).optimizer / 8);
  EXPECT_EQ(memory_of(input).gradients, memory_of(paper()).gradients);
}

TEST(Memory, RowsAreTheLoaders) {
  EXPECT_EQ(rows_of(paper()).batch, 32);  // 17 steps of 251 or 252 cells over 8 ranks
  EXPECT_EQ(rows_of(paper()).micro_steps, 1);
  PlanInput input = paper();
  input.micro_batch = 10;
  EXPECT_EQ(rows_of(input).micro, 10);
  EXPECT_EQ(rows_of(input).micro_steps, 4);
  EXPECT_NEAR(memory_of(input).activations, memory_of(paper()).activations * 10 / 32, 1);
  input.micro_batch = 100;
  EXPECT_EQ(rows_of(input).micro, 32);
}

TEST(Memory, CheckpointingKeepsBlockInputsAndOneGroup) {
  const auto activations = [](std::int64_t encoder, std::int64_t decoder) {
    PlanInput input = paper();
    input.encoder.recompute_every = encoder;
    input.decoder.recompute_every = decoder;
    return activation_bytes(input, 1);
  };
  EXPECT_LT(activations(1, 1), activations(0, 1));
  EXPECT_LT(activations(1, 1), activations(1, 0));
  EXPECT_LT(activations(0, 1), activations(0, 0));
  EXPECT_LT(activations(1, 1), 0.25 * activations(0, 0));
  EXPECT_EQ(activations(100, 8), activations(12, 8));  // no more than all blocks at a time
  // Decoder, every block: 8 inputs and one block but its input; the encoder keeps 12 whole blocks.
  const PlanInput input = paper();
  const double block = block_activation_bytes(input, 257, 257, 16);
  EXPECT_EQ(activations(0, 0) - activations(0, 1), 8 * block - (8 * 257 * 768 * 2.0 + block - 257 * 768 * 2.0));
}

TEST(Memory, CheckpointedCrossDecoderKeepsOneMemory) {
  PlanInput input = paper();
  input.cross_decoder = true;
  const double block = cross_block_activation_bytes(input, 65, 193, 16);
  const double none = activation_bytes(input, 1);
  input.decoder.recompute_every = 1;
  EXPECT_EQ(none - activation_bytes(input, 1), 8 * block - (8 * 193 * 768 * 2.0 + block - 193 * 768 * 2.0));
  input.decoder.recompute_every = 8;
  EXPECT_EQ(none - activation_bytes(input, 1), 0);
}

}  // namespace
}  // namespace masksc
