// The plan of a run: cost, time of a step by an alpha-beta model of communication, and how it scales.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/plan/cost.hpp"

namespace masksc {

/// Seconds of a step, and what it moves.
struct StepTime {
  double compute = 0;    // forward, backward, recomputation
  double optimizer = 0;  // bound by memory bandwidth
  double communication = 0;
  double exposed = 0;     // the part of it that computation does not hide
  double sent_bytes = 0;  // by each rank

  [[nodiscard]] double total() const { return compute + optimizer + exposed; }
};

/// One step with `rows` cells a rank on `ranks` ranks.
StepTime step_time(const PlanInput& input, std::int64_t rows, std::int64_t ranks);

/// Seconds to bring `bytes` of every rank together and back: a ring within each node (reduce-scatter, all-gather), and
/// between nodes a ring for each GPU's share, all over the node's links.
double all_reduce_seconds(const PlanInput& input, double bytes, std::int64_t ranks);

struct CurvePoint {
  std::int64_t ranks = 1;
  std::int64_t rows = 0;  // cells a rank
  StepTime step;
  double cells_per_second = 0;
  double efficiency = 1;  // cells/s against `ranks` times those of one rank
};

/// 1, 2, 4 ... 1024 GPUs. Strong: the global batch as it is, up to as many GPUs as it has cells; weak: the planned
/// cells a rank on any number. Weak efficiency can pass 1 where a sharded optimizer saves more than it sends.
std::vector<CurvePoint> strong_curve(const PlanInput& input);
std::vector<CurvePoint> weak_curve(const PlanInput& input);

/// How activations change when both stacks are checkpointed alike.
struct CheckpointingRow {
  std::string mode;  // none, blocks, every=N
  double activations = 0;
  double total = 0;
  double recompute_flop = 0;  // a cell
};
std::vector<CheckpointingRow> checkpointing_table(const PlanInput& input);

/// Cells of the largest global batch: an epoch is cut into nearly equal ones.
std::int64_t cells_per_step(const PlanInput& input);
/// Steps of the whole training.
std::int64_t planned_steps(const PlanInput& input);

Json plan_json(const PlanInput& input);
/// The same for people.
std::string plan_table(const PlanInput& input);

}  // namespace masksc
