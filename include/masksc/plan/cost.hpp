// What a model costs: parameters, FLOP a cell, bytes of memory. Numbers are doubles: no configuration overflows them.
#pragma once

#include <algorithm>

#include "masksc/plan/input.hpp"

namespace masksc {

/// Parameters of the masked autoencoder.
double parameter_count(const PlanInput& input);

/// FLOP of one cell's forward pass; a multiply-add is two.
struct ForwardFlop {
  double embedding = 0;
  double encoder = 0;
  double bridge = 0;
  double decoder = 0;
  double head = 0;
  double guidance = 0;
  double targets = 0;  // the frozen sequence encoder; no backward pass

  [[nodiscard]] double model() const { return embedding + encoder + bridge + decoder + head; }
};

/// By the common formula, which counts embedding, bridge and head for all tokens: FLOP/s of programs that train this
/// model are compared with it (MAE in PyTorch does that work; of --decoder cross its blocks). Without guidance and
/// targets.
ForwardFlop formula_flop(const PlanInput& input);
/// Operations really done.
ForwardFlop done_flop(const PlanInput& input);

/// A training step by the formula: 3 x forward.
double formula_step_flop(const PlanInput& input);
/// A training step really done: 3 x forward, but no gradient of the input and of the targets; without recomputation.
double done_step_flop(const PlanInput& input);
/// Forward passes done again by gradient checkpointing.
double recompute_flop(const PlanInput& input);

/// Bytes that autograd keeps of one transformer block for one cell; T tokens, Q of them queries.
double block_activation_bytes(const PlanInput& input, std::int64_t tokens, std::int64_t queries, std::int64_t heads);
/// The same of a block whose Q tokens attend to a memory of T others, without that memory.
double cross_block_activation_bytes(const PlanInput& input, std::int64_t memory, std::int64_t queries,
                                    std::int64_t heads);

/// Bytes a rank, at the peak of a step, with `rows` cells a micro-batch.
struct PlanMemory {
  double weights = 0;  // fp32, and a working copy in half precision
  double gradients = 0;
  double optimizer = 0;
  double activations = 0;
  double data = 0;        // the rank's batch, its targets, the frozen encoders
  double buffers = 0;     // gradients of activations on the way, and other short-lived tensors
  double snapshot = 0;    // on CPUs with --async-checkpoint: this rank's part of what is being written
  double components = 0;  // before training: products of all pairs of genes, in double, for principal components

  [[nodiscard]] double total() const {
    return weights + gradients + optimizer + activations + data + buffers + snapshot;
  }
  [[nodiscard]] double peak() const { return std::max(total(), components); }
};

/// Cells of a rank's batch, padded as the loader pads them, and of its micro-batch.
struct PlanRows {
  std::int64_t batch = 0;
  std::int64_t micro = 0;
  std::int64_t micro_steps = 1;
};
PlanRows rows_of(const PlanInput& input);

double activation_bytes(const PlanInput& input, std::int64_t rows);
PlanMemory memory_of(const PlanInput& input);

}  // namespace masksc
