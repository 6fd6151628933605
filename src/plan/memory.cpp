#include <algorithm>

#include "masksc/data/epoch_order.hpp"
#include "masksc/plan/cost.hpp"

namespace masksc {
namespace {

constexpr double fp32 = 4;
constexpr double int64 = 8;
constexpr double fp64 = 8;

double real(std::int64_t value) { return static_cast<double>(value); }

/// Bytes of one cell that a stack keeps until its backward pass, and those it computes again there.
struct StackBytes {
  double kept = 0;
  double again = 0;
};

/// With recomputation every n blocks the input of each n blocks is kept; one group of n at a time is computed again.
StackBytes stack_bytes(const PlanInput& input, const PlanStack& stack, std::int64_t tokens, std::int64_t last_queries) {
  if (stack.depth == 0) return {};
  const double block = block_activation_bytes(input, tokens, tokens, stack.heads);
  const double last = block_activation_bytes(input, tokens, last_queries, stack.heads);
  if (stack.recompute_every <= 0) return {real(stack.depth - 1) * block + last, 0};
  const std::int64_t every = std::min(stack.recompute_every, stack.depth);
  const double block_input = real(tokens * input.dim) * input.element_bytes();
  return {real((stack.depth + every - 1) / every) * block_input, real(every) * block - block_input};
}

/// The decoder's blocks that attend to one memory, which is kept once.
StackBytes cross_stack_bytes(const PlanInput& input) {
  const PlanStack& stack = input.decoder;
  if (stack.depth == 0) return {};
  const std::int64_t queries = input.masked() + 1;
  const double block = cross_block_activation_bytes(input, input.visible + 1, queries, stack.heads);
  const double memory = real((input.visible + 1) * input.dim) * input.element_bytes();
  if (stack.recompute_every <= 0) return {memory + real(stack.depth) * block, 0};
  const std::int64_t every = std::min(stack.recompute_every, stack.depth);
  const double block_input = real(queries * input.dim) * input.element_bytes();
  return {memory + real((stack.depth + every - 1) / every) * block_input, real(every) * block - block_input};
}

StackBytes decoder_bytes(const PlanInput& input) {
  if (input.cross_decoder) return cross_stack_bytes(input);
  const std::int64_t tokens = input.tokens + 1;
  return stack_bytes(input, input.decoder, tokens, input.last_queries > 0 ? input.last_queries : tokens);
}

/// What a backward pass through one MLP adds, for one cell: gradients of the block (D) and of GELU's two sides (4 D
/// each), when GELU's output (4 D) is kept no more.
double backward_bytes(const PlanInput& input, std::int64_t tokens) {
  return 5 * real(tokens * input.dim) * input.element_bytes();
}

/// The frozen encoders' hidden layer for all patches: the product, with bias, normalised.
double target_bytes(const PlanInput& input) {
  return input.sequence_targets ? 3 * fp32 * real(input.tokens * input.sequence.hidden1) : 0;
}

/// What attention keeps besides its inputs.
double attention_bytes(const PlanInput& input, std::int64_t tokens, std::int64_t queries, std::int64_t heads) {
  return real(queries * heads) * (input.attention_weights ? real(tokens) * input.element_bytes() : fp32);
}

double frozen_parameters(const PlanInput& input) {
  const PlanSequenceEncoder& s = input.sequence;
  const double loadings = real(input.tokens * input.patch_genes * input.teacher_components);
  if (!input.sequence_targets && input.teacher_features == input.teacher_components) return loadings;
  return loadings + real(input.tokens * input.patch_genes * s.hidden1 + s.hidden1 * s.hidden2 + s.hidden2 * s.outputs);
}

}  // namespace

double block_activation_bytes(const PlanInput& input, std::int64_t tokens, std::int64_t queries, std::int64_t heads) {
  // apply_block in src/model/block.cpp, features of a token that autograd keeps, by the operation that keeps them:
  //   of all tokens: norm1 (its input) 1, qkv (norm1's output) 1, attention (keys, values) 2
  //   of queries: attention (queries) 1, proj (attention's output, not copied) 1, norm2 1, fc1 1, gelu 4, fc2 4
  // and in fp32: mean and 1/deviation of both norms; what attention keeps of its own. With dropout: its scale, 2
  // branches. Python's saved_tensors_hooks on the same block count these bytes exactly.
  //   and where they are fewer than the tokens: their normed rows, taken out for the product, 1
  const double taken = queries < tokens ? 1 : 0;
  const double features = real(input.dim) * (4 * real(tokens) + (12 + taken) * real(queries));
  const double statistics = 2 * real(tokens) + 2 * real(queries);
  const double scales = input.dropout ? 2 * real(queries * input.dim) : 0;
  return features * input.element_bytes() + (statistics + scales) * fp32 +
         attention_bytes(input, tokens, queries, heads);
}

double cross_block_activation_bytes(const PlanInput& input, std::int64_t memory, std::int64_t queries,
                                    std::int64_t heads) {
  // apply_cross_block, as above:
  //   of the memory: keys' and values' product (norm1's output) 1, attention (keys, values) 2; norm1's input is shared
  //   of queries: norm1 (its input) 1, queries' product 1, and from the attention on the 12 of any block
  const double features = real(input.dim) * (3 * real(memory) + 14 * real(queries));
  const double statistics = 2 * real(memory) + 4 * real(queries);
  const double scales = input.dropout ? 2 * real(queries * input.dim) : 0;
  return features * input.element_bytes() + (statistics + scales) * fp32 +
         attention_bytes(input, memory, queries, heads);
}

PlanRows rows_of(const PlanInput& input) {
  PlanRows rows;
  rows.batch = BatchPlan(input.cells, input.batch).padded_rows(static_cast<int>(input.ranks));
  rows.micro = input.micro_batch > 0 ? std::min(input.micro_batch, rows.batch) : rows.batch;
  rows.micro_steps = (rows.batch + rows.micro - 1) / rows.micro;
  return rows;
}

double activation_bytes(const PlanInput& input, std::int64_t rows) {
  const double element = input.element_bytes();
  const StackBytes encoder = stack_bytes(input, input.encoder, input.visible + 1, input.visible + 1);
  const StackBytes decoder = decoder_bytes(input);
  // Input and output of the encoder's norm, and of the decoder's on the masked tokens; statistics; the patches
  // embedded, and the differences that the loss squares.
  const double norms = 2 * real((input.visible + 1 + input.masked()) * input.dim) * element +
                       2 * real(input.visible + 1 + input.masked()) * fp32;
  const double ends = real(input.visible * input.patch_genes) * element +
                      real(input.masked()) * (real(input.target_features) * fp32 + int64);
  // The decoder's backward pass comes first and frees what it kept.
  const double peak = std::max(encoder.kept + decoder.kept + decoder.again, encoder.kept + encoder.again);
  return real(rows) * (peak + norms + ends);
}

PlanMemory memory_of(const PlanInput& input) {
  const double parameters = parameter_count(input);
  const PlanRows rows = rows_of(input);
  PlanMemory memory;
  memory.weights = parameters * (fp32 + (input.precision == PlanPrecision::half ? 2 : 0));
  memory.gradients = parameters * fp32 * real(input.gradient_copies);
  memory.optimizer = parameters * 2 * fp32 / (input.shard_optimizer ? real(input.ranks) : 1);
  memory.activations = activation_bytes(input, rows.micro);
  memory.data = real(rows.batch) * real(input.tokens) * (real(input.patch_genes) * fp32 + int64) +
                real(rows.micro) * real(input.tokens) * real(input.target_features) * fp32 +
                2 * fp32 * frozen_parameters(input) + input.resident_bytes;
  const std::int64_t decoder_tokens = (input.cross_decoder ? input.masked() : input.tokens) + 1;
  const double longest = std::max(backward_bytes(input, input.visible + 1),
                                  input.decoder.depth > 0 ? backward_bytes(input, decoder_tokens) : 0);
  memory.buffers = real(rows.micro) * std::max(longest, target_bytes(input));
  if (input.async_checkpoint && input.device_name == "cpu") memory.snapshot = parameters * 3 * fp32 / real(input.ranks);
  const double genes = real(input.tokens) * real(input.patch_genes);
  memory.components = fp64 * genes * genes;
  return memory;
}

}  // namespace masksc
