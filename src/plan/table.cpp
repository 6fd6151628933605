#include <fmt/format.h>

#include "masksc/core/text.hpp"
#include "masksc/data/settings.hpp"
#include "masksc/plan/plan.hpp"

namespace masksc {
namespace {

/// A unit in which the numbers of a table read well.
struct Unit {
  const char* name;
  double size;

  [[nodiscard]] std::string show(double value) const { return fmt::format("{:.2f}", value / size); }
};

Unit flop_unit(double largest) { return largest < 1e9 ? Unit{"MFLOP", 1e6} : Unit{"GFLOP", 1e9}; }
Unit byte_unit(double largest) { return largest < 1 << 30 ? Unit{"MiB", 1 << 20} : Unit{"GiB", 1 << 30}; }

std::string line(const std::string& name, const std::string& value, const std::string& remark = {}) {
  return remark.empty() ? fmt::format("  {:<22}{:>12}\n", name, value)
                        : fmt::format("  {:<22}{:>12}   {}\n", name, value, remark);
}

std::string milliseconds(double seconds) { return fmt::format("{:.2f}", 1e3 * seconds); }

std::string model_text(const PlanInput& input) {
  std::string text = "\nModel\n";
  text += line("parameters", fmt::format("{:.2f} M", parameter_count(input) / 1e6));
  text += line("tokens", fmt::format("{}", input.tokens),
               fmt::format("{} visible, {} masked, {} genes each", input.visible, input.masked(), input.patch_genes));
  return text;
}

std::string flop_text(const PlanInput& input) {
  const ForwardFlop formula = formula_flop(input);
  const ForwardFlop done = done_flop(input);
  const Unit unit = flop_unit(formula_step_flop(input));
  std::string text = fmt::format("\n{:<24}{:>12}{:>12}\n", fmt::format("{} a cell", unit.name), "formula", "done");
  const auto row = [&](const char* name, double by_formula, double by_count) {
    if (by_formula > 0 || by_count > 0)
      text += fmt::format("  {:<22}{:>12}{:>12}\n", name, unit.show(by_formula), unit.show(by_count));
  };
  row("embedding", formula.embedding, done.embedding);
  row("encoder", formula.encoder, done.encoder);
  row("bridge", formula.bridge, done.bridge);
  row("decoder", formula.decoder, done.decoder);
  row("head", formula.head, done.head);
  row("guidance", 0, done.guidance);
  row("targets (frozen)", 0, done.targets);
  row("training step", formula_step_flop(input), done_step_flop(input));
  row("recomputed", 0, recompute_flop(input));
  return text;
}

std::string memory_text(const PlanInput& input) {
  const PlanMemory memory = memory_of(input);
  const PlanRows rows = rows_of(input);
  const Unit unit = byte_unit(memory.total());
  std::string text = fmt::format("\nMemory a rank, {:<10}{} cells", unit.name, rows.batch);
  text += rows.micro_steps > 1 ? fmt::format(" in {} micro-batches of {}\n", rows.micro_steps, rows.micro) : "\n";
  const bool half = input.precision == PlanPrecision::half;
  text += line("weights", unit.show(memory.weights), half ? "fp32 and a half-precision copy" : "");
  text += line("gradients", unit.show(memory.gradients));
  text += line("optimizer", unit.show(memory.optimizer),
               input.shard_optimizer ? fmt::format("sharded over {} ranks", input.ranks) : "");
  text += line("activations", unit.show(memory.activations));
  text += line("data", unit.show(memory.data));
  text += line("buffers", unit.show(memory.buffers));
  if (memory.snapshot > 0) text += line("snapshot", unit.show(memory.snapshot), "a checkpoint being written");
  text += line("total", unit.show(memory.total()),
               fmt::format("{} the {} of {}", memory.peak() <= input.device.memory ? "fits" : "DOES NOT FIT",
                           format_bytes(input.device.memory), input.device_name));
  text += line("before training", unit.show(memory.components), "products of all genes, for principal components");
  text += fmt::format("\n{:<24}{:>12}{:>12}{:>16}\n", "Checkpointing", "activations", "total", "FLOP done");
  for (const CheckpointingRow& row : checkpointing_table(input))
    text += fmt::format("  {:<22}{:>12}{:>12}{:>15.2f}x\n", row.mode, unit.show(row.activations), unit.show(row.total),
                        1 + row.recompute_flop / done_step_flop(input));
  return text;
}

std::string counts_text(const PlanInput& input) {
  const DataBytes bytes = data_bytes(input.cells, input.nonzeros, input.ranks, input.shuffle);
  const Unit unit = byte_unit(bytes.resident);
  std::string text = fmt::format("\nCounts in host memory a rank, {}\n", unit.name);
  text += line("all in memory", unit.show(bytes.resident));
  if (input.shuffle.block > 0)
    text += line("streamed", unit.show(bytes.streamed),
                 fmt::format("blocks of {} cells, {} mixed at a time", input.shuffle.block, input.shuffle.buffer));
  if (input.host_budget > 0)
    text += line("--data-memory", unit.show(input.host_budget),
                 input.host_budget >= bytes.resident ? "all in memory"
                 : input.shuffle.block > 0           ? "streamed"
                                                     : "DOES NOT FIT: take --shuffle-block");
  return text;
}

std::string step_text(const PlanInput& input) {
  const PlanRows rows = rows_of(input);
  const StepTime step = step_time(input, rows.batch, input.ranks);
  const auto steps = static_cast<double>(planned_steps(input));
  const double hidden = step.communication > 0 ? 1 - step.exposed / step.communication : 1;
  std::string text = fmt::format("\nStep on {} rank{}, ms\n", input.ranks, input.ranks == 1 ? "" : "s");
  text += line("computation", milliseconds(step.compute));
  text += line("communication", milliseconds(step.communication),
               fmt::format("{:.2f} GB sent by each rank; {:.0f}% hidden", step.sent_bytes / 1e9, 100 * hidden));
  text += line("exposed", milliseconds(step.exposed));
  text += line("optimizer", milliseconds(step.optimizer));
  text += line("total", milliseconds(step.total()),
               fmt::format("{:.0f} cells/s", static_cast<double>(cells_per_step(input)) / step.total()));
  text += line("whole training", format_duration(steps * step.total()),
               fmt::format("{:.0f} steps, {} cells x {} epochs", steps, input.cells, input.epochs));
  return text;
}

/// What a rank has.
std::string unit_of(const PlanInput& input) { return input.device_name == "cpu" ? "core" : "GPU"; }

/// Strong and weak scaling side by side; strong ends where the batch has no cell for a GPU.
std::string curve_text(const PlanInput& input) {
  const std::vector<CurvePoint> strong = strong_curve(input);
  const std::vector<CurvePoint> weak = weak_curve(input);
  const std::string unit = unit_of(input);
  std::string text = fmt::format("\n{:>6}{:>30}{:>34}\n", "", fmt::format("global batch {}", input.batch),
                                 fmt::format("{} cells a {}", weak.front().rows, unit));
  text += fmt::format("{:>6}{:>11}{:>11}{:>11}{:>12}{:>11}{:>11}\n", unit + "s", "ms", "cells/s", "efficiency", "ms",
                      "cells/s", "efficiency");
  for (std::size_t i = 0; i < weak.size(); ++i) {
    const auto columns = [](const CurvePoint& at) {
      return fmt::format("{:>11}{:>11.0f}{:>11.3f}", milliseconds(at.step.total()), at.cells_per_second, at.efficiency);
    };
    text +=
        fmt::format("{:>6}{:>33} {}\n", weak[i].ranks, i < strong.size() ? columns(strong[i]) : "", columns(weak[i]));
  }
  return text;
}

std::string assumption_text(const PlanInput& input) {
  const DeviceNumbers& device = input.device;
  std::string text = fmt::format("\nAssumed, not measured: {:.0f}% of {}'s {:.4g} TFLOP/s ({}); ",
                                 100 * input.utilization, input.device_name, input.peak() / 1e12,
                                 input.precision == PlanPrecision::half ? "bf16/fp16" : "fp32");
  text += fmt::format("{:.4g} GB/s within nodes of {} {}s;\n{} between them, {:.4g} GB/s a node; ",
                      device.link_bandwidth / 1e9, input.gpus_per_node, unit_of(input), input.network_name,
                      input.network.bandwidth / 1e9);
  text += fmt::format("{:.0f}% of the backward pass hides communication", 100 * input.overlap);
  text += device.operation > 0
              ? fmt::format(";\nno operation starts faster than every {:.0f} µs.\n", 1e6 * device.operation)
              : ".\n";
  if (input.deterministic)
    text += "Left out: what --deterministic costs, a quarter to two fifths of the speed on CPUs.\n";
  if (input.device_name == "cpu") text += "Left out: the program itself, 300 to 500 MiB of each rank's memory.\n";
  return text + "\n";
}

}  // namespace

std::string plan_table(const PlanInput& input) {
  return model_text(input) + flop_text(input) + memory_text(input) + counts_text(input) + step_text(input) +
         curve_text(input) + assumption_text(input);
}

}  // namespace masksc
