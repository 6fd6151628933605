#include <cmath>

#include "masksc/data/settings.hpp"
#include "masksc/plan/plan.hpp"

namespace masksc {
namespace {

/// Counts as whole numbers where JSON readers keep them exact.
Json whole(double value) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  return value < exact ? Json(std::llround(value)) : Json(value);
}

Json parts(const ForwardFlop& flop) {
  return {{"embedding", whole(flop.embedding)}, {"encoder", whole(flop.encoder)}, {"bridge", whole(flop.bridge)},
          {"decoder", whole(flop.decoder)},     {"head", whole(flop.head)},       {"guidance", whole(flop.guidance)},
          {"targets", whole(flop.targets)}};
}

Json memory_json(const PlanInput& input) {
  const PlanMemory memory = memory_of(input);
  return {{"weights", whole(memory.weights)},
          {"gradients", whole(memory.gradients)},
          {"optimizer", whole(memory.optimizer)},
          {"activations", whole(memory.activations)},
          {"data", whole(memory.data)},
          {"buffers", whole(memory.buffers)},
          {"snapshot", whole(memory.snapshot)},
          {"total", whole(memory.total())},
          {"components", whole(memory.components)},
          {"device", whole(input.device.memory)},
          {"fits", memory.peak() <= input.device.memory}};
}

Json counts_json(const PlanInput& input) {
  const DataBytes bytes = data_bytes(input.cells, input.nonzeros, input.ranks, input.shuffle);
  return {{"resident", whole(bytes.resident)},
          {"streamed", whole(bytes.streamed)},
          {"shuffle_block", input.shuffle.block},
          {"shuffle_buffer", input.shuffle.buffer},
          {"streams", input.host_budget > 0 ? Json(input.host_budget < bytes.resident) : Json(nullptr)}};
}

Json curve_json(const std::vector<CurvePoint>& curve) {
  Json all = Json::array();
  for (const CurvePoint& at : curve)
    all.push_back({{"gpus", at.ranks},
                   {"cells_per_gpu", at.rows},
                   {"seconds_per_step", at.step.total()},
                   {"exposed_seconds", at.step.exposed},
                   {"cells_per_second", at.cells_per_second},
                   {"efficiency", at.efficiency}});
  return all;
}

}  // namespace

Json plan_json(const PlanInput& input) {
  const PlanRows rows = rows_of(input);
  const StepTime step = step_time(input, rows.batch, input.ranks);
  const std::int64_t steps = planned_steps(input);
  const auto cells = static_cast<double>(cells_per_step(input));
  Json checkpointing = Json::object();
  for (const CheckpointingRow& row : checkpointing_table(input))
    checkpointing[row.mode] = {{"activations", whole(row.activations)},
                               {"total", whole(row.total)},
                               {"recompute_flop_per_cell", whole(row.recompute_flop)}};
  return {{"parameters", whole(parameter_count(input))},
          {"flop_per_cell", whole(formula_step_flop(input))},
          {"flop_per_cell_done", whole(done_step_flop(input))},
          {"recompute_flop_per_cell", whole(recompute_flop(input))},
          {"forward_flop_per_cell", {{"formula", parts(formula_flop(input))}, {"done", parts(done_flop(input))}}},
          {"tokens", {{"all", input.tokens}, {"visible", input.visible}, {"masked", input.masked()}}},
          {"cells", input.cells},
          {"ranks", input.ranks},
          {"gpus_per_node", input.gpus_per_node},
          {"batch", {{"global", input.batch}, {"rank", rows.batch}, {"micro", rows.micro}}},
          {"memory_bytes", memory_json(input)},
          {"host_counts_bytes", counts_json(input)},
          {"checkpointing", checkpointing},
          {"communication", {{"bytes_per_step", whole(step.sent_bytes)}, {"seconds", step.communication}}},
          {"step",
           {{"seconds", step.total()},
            {"compute", step.compute},
            {"optimizer", step.optimizer},
            {"exposed_communication", step.exposed},
            {"cells_per_second", cells / step.total()}}},
          {"training", {{"steps", steps}, {"seconds", static_cast<double>(steps) * step.total()}}},
          {"curve", {{"strong", curve_json(strong_curve(input))}, {"weak", curve_json(weak_curve(input))}}},
          {"assumed",
           {{"device", input.device_name},
            {"precision", input.precision == PlanPrecision::half ? "half" : "fp32"},
            {"peak_flop_per_second", input.peak()},
            {"utilization", input.utilization},
            {"overlap", input.overlap},
            {"memory_bandwidth", input.device.memory_bandwidth},
            {"node_bandwidth", input.device.link_bandwidth},
            {"node_latency", input.device.link_latency},
            {"network", input.network_name},
            {"network_bandwidth", input.network.bandwidth},
            {"network_latency", input.network.latency}}}};
}

}  // namespace masksc
