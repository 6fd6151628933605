#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/data/epoch_order.hpp"
#include "masksc/plan/plan.hpp"

namespace masksc {
namespace {

constexpr std::int64_t largest_curve = 1024;

double real(std::int64_t value) { return static_cast<double>(value); }

/// Half of an all-reduce, a reduce-scatter or an all-gather.
double half_all_reduce_seconds(const PlanInput& input, double bytes, std::int64_t ranks) {
  const double in_node = real(std::min(ranks, input.gpus_per_node));
  const double nodes = std::ceil(real(ranks) / in_node);
  const double buckets = std::max(1.0, std::ceil(bytes / input.bucket_bytes));
  const double within = (in_node - 1) * buckets * input.device.link_latency +
                        (in_node - 1) / in_node * bytes / input.device.link_bandwidth;
  const double between =
      (nodes - 1) * buckets * input.network.latency + (nodes - 1) / nodes * bytes / input.network.bandwidth;
  return within + between;
}

/// Reads and writes of the update: of this rank's share AdamW (weights, gradients, two moments) and the norm of the
/// gradients; of all, zeroing the gradients and the cast into the working copy.
double update_seconds(const PlanInput& input, std::int64_t ranks) {
  const double owned = 28 + 4;
  const double whole = 4 + (input.precision == PlanPrecision::half ? 6 : 0);
  return parameter_count(input) * (owned / (input.shard_optimizer ? real(ranks) : 1) + whole) /
         input.device.memory_bandwidth;
}

/// The host's part of a step: it starts about 60 operations a block (forward, backward, gradients added up), which no
/// device can be faster than. An estimate from the operations of src/model/block.cpp and their derivatives.
double host_seconds(const PlanInput& input, std::int64_t passes) {
  constexpr double of_a_block = 60;
  constexpr double of_a_forward_block = 12;
  constexpr double of_a_pass = 100;  // ends, loss, targets
  const auto blocks = [&](const PlanStack& stack) {
    return real(stack.depth) * (of_a_block + (stack.recompute_every > 0 ? of_a_forward_block : 0));
  };
  return input.device.operation * real(passes) * (of_a_pass + blocks(input.encoder) + blocks(input.decoder));
}

CurvePoint point(const PlanInput& input, std::int64_t ranks, std::int64_t rows, double cells, double alone) {
  CurvePoint at{ranks, rows, step_time(input, rows, ranks)};
  at.cells_per_second = cells / at.step.total();
  at.efficiency = at.cells_per_second / (real(ranks) * alone);
  return at;
}

}  // namespace

void validate(const PlanInput& input) {
  if (input.batch < input.ranks)
    throw UserError(fmt::format("--batch-size {} is smaller than --plan-ranks {}: every rank needs a cell", input.batch,
                                input.ranks));
  if (input.cells < input.ranks)
    throw UserError(fmt::format("--plan-cells {} is fewer than --plan-ranks {}", input.cells, input.ranks));
  ensure(input.visible > 0 && input.visible < input.tokens, "some tokens are visible, some masked");
}

double all_reduce_seconds(const PlanInput& input, double bytes, std::int64_t ranks) {
  return 2 * half_all_reduce_seconds(input, bytes, ranks);
}

StepTime step_time(const PlanInput& input, std::int64_t rows, std::int64_t ranks) {
  const double speed = input.peak() * input.utilization;
  const double parameters = parameter_count(input);
  double model = real(rows) * formula_step_flop(input) / speed;
  double again = real(rows) * recompute_flop(input) / speed;
  const std::int64_t micro = input.micro_batch > 0 ? std::min(input.micro_batch, rows) : rows;
  const double last_share = real(micro) / real(rows);  // only the last micro-batch's backward pass can hide
  const double slower = std::max(1.0, host_seconds(input, (rows + micro - 1) / micro) / (model + again));
  model *= slower;
  again *= slower;
  StepTime step;
  step.compute = model + again;
  step.optimizer = update_seconds(input, ranks);
  const double hideable = input.overlap * last_share * (model * 2 / 3 + again);
  const double gradients = parameters * input.reduce_bytes;
  const double share = (real(ranks) - 1) / real(ranks);
  if (input.shard_optimizer) {
    // The weights come back in fp32 after the update, with nothing to hide behind.
    const double reduce = half_all_reduce_seconds(input, gradients, ranks);
    const double gather = half_all_reduce_seconds(input, parameters * 4, ranks);
    step.sent_bytes = share * (gradients + parameters * 4);
    step.communication = reduce + gather;
    step.exposed = std::max(0.0, reduce - hideable) + gather;
  } else {
    step.sent_bytes = 2 * share * gradients;
    step.communication = all_reduce_seconds(input, gradients, ranks);
    step.exposed = std::max(0.0, step.communication - hideable);
  }
  return step;
}

std::int64_t cells_per_step(const PlanInput& input) { return BatchPlan(input.cells, input.batch).padded_rows(1); }

std::int64_t planned_steps(const PlanInput& input) {
  return BatchPlan(input.cells, input.batch).total_steps(input.epochs, input.max_steps);
}

std::vector<CurvePoint> strong_curve(const PlanInput& input) {
  const std::int64_t batch = cells_per_step(input);
  const double alone = real(batch) / step_time(input, batch, 1).total();
  std::vector<CurvePoint> curve;
  for (std::int64_t ranks = 1; ranks <= std::min(largest_curve, batch); ranks *= 2)
    curve.push_back(point(input, ranks, (batch + ranks - 1) / ranks, real(batch), alone));
  return curve;
}

std::vector<CurvePoint> weak_curve(const PlanInput& input) {
  const std::int64_t rows = rows_of(input).batch;
  const double alone = real(rows) / step_time(input, rows, 1).total();
  std::vector<CurvePoint> curve;
  for (std::int64_t ranks = 1; ranks <= largest_curve; ranks *= 2)
    curve.push_back(point(input, ranks, rows, real(rows * ranks), alone));
  return curve;
}

std::vector<CheckpointingRow> checkpointing_table(const PlanInput& input) {
  const std::int64_t depth = std::max(input.encoder.depth, input.decoder.depth);
  std::vector<CheckpointingRow> rows;
  for (const std::int64_t every : {0, 1, 2, 4}) {
    if (every > 1 && every > depth) continue;
    PlanInput other = input;
    other.encoder.recompute_every = other.decoder.recompute_every = every;
    const PlanMemory memory = memory_of(other);
    rows.push_back({every == 0   ? "none"
                    : every == 1 ? "blocks"
                                 : fmt::format("every={}", every),
                    memory.activations, memory.total(), recompute_flop(other)});
  }
  return rows;
}

}  // namespace masksc
