#include "masksc/plan/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

void replace(double& number, double given, double unit) {
  if (given > 0) number = given * unit;
}

}  // namespace

void describe(OptionTable& table, PlanSettings& s) {
  table.begin_group("Plan", OptionRole::request);
  table.add_switch(
      "plan", s.plan,
      "tell memory, FLOP and time of this configuration on other machines (--plan-ranks of --plan-device); needs no "
      "input, output or GPU");
  table.add_switch("json", s.json, "the plan as JSON, with nothing else on standard output");
  table.add("plan-cells", s.cells, fmt::format("cells of the data (0: those of --input; {} without one)", kUsualCells));
  table.add("plan-genes", s.genes,
            "usable genes of the data (0: those of --input; without one a full --matrix, 2000 with --matrix auto)");
  table.add("plan-density", s.density, "assumed: share of a cell's genes that have counts");
  table.add("plan-ranks", s.ranks, "ranks, one a GPU");
  table.add("plan-gpus-per-node", s.gpus_per_node, "GPUs of a node");
  table.add("plan-device", s.device, "device of a rank; cpu is a core",
            fmt::format("{}", fmt::join(device_names(), "|")));
  table.add("plan-network", s.network, "link between nodes", fmt::format("{}", fmt::join(network_names(), "|")));
  table.add("plan-links", s.links, "such links of a node; a DGX has 8");
  table.add("plan-utilization", s.utilization, "assumed: share of the peak that the model's FLOP reach");
  table.add("plan-overlap", s.overlap, "assumed: share of the backward pass that can hide communication");
  table.add("plan-peak", s.peak_tflops, "TFLOP/s of the device at this precision (0: the preset's)");
  table.add("plan-memory", s.memory_gib, "GiB of the device (0, here and below: the preset's)");
  table.add("plan-memory-bandwidth", s.memory_gbps, "GB/s of the device's memory");
  table.add("plan-node-bandwidth", s.link_gbps, "GB/s of a device to the others of its node, one direction");
  table.add("plan-node-latency", s.link_us, "microseconds a message within a node");
  table.add("plan-operation", s.operation_us, "microseconds in which the host starts an operation of the device");
  table.add("plan-network-bandwidth", s.network_gbits, "Gbit/s of a link between nodes");
  table.add("plan-network-latency", s.network_us, "microseconds a message between nodes");
}

void validate(const PlanSettings& s) {
  if (s.json && !s.plan) throw UserError("--json goes with --plan; a run writes its numbers to metrics.json");
  require_within("plan-cells", s.cells, 0, 10'000'000'000);  // times genes: bytes that still fit std::int64_t
  require_within("plan-genes", s.genes, 0, 10'000'000);
  require_within("plan-density", s.density, 0.0, 1.0);
  require_within("plan-ranks", s.ranks, 1, 1'000'000);
  require_within("plan-gpus-per-node", s.gpus_per_node, 1, 1'000'000);
  require_within("plan-links", s.links, 1, 1'000'000);
  if (!(s.utilization > 0 && s.utilization <= 1))
    throw UserError(fmt::format("--plan-utilization must lie in (0, 1], not {}", s.utilization));
  if (!(s.overlap >= 0 && s.overlap <= 1))
    throw UserError(fmt::format("--plan-overlap must lie in [0, 1], not {}", s.overlap));
  require_not_negative("plan-peak", s.peak_tflops);
  require_not_negative("plan-memory", s.memory_gib);
  require_not_negative("plan-memory-bandwidth", s.memory_gbps);
  require_not_negative("plan-node-bandwidth", s.link_gbps);
  require_not_negative("plan-node-latency", s.link_us);
  require_not_negative("plan-operation", s.operation_us);
  require_not_negative("plan-network-bandwidth", s.network_gbits);
  require_not_negative("plan-network-latency", s.network_us);
  device_preset(s.device);
  network_preset(s.network);
}

DeviceNumbers device_numbers(const PlanSettings& s) {
  DeviceNumbers device = device_preset(s.device);
  replace(device.half_flops, s.peak_tflops, 1e12);
  replace(device.fp32_flops, s.peak_tflops, 1e12);
  replace(device.memory, s.memory_gib, 1024.0 * 1024 * 1024);
  replace(device.memory_bandwidth, s.memory_gbps, 1e9);
  replace(device.link_bandwidth, s.link_gbps, 1e9);
  replace(device.link_latency, s.link_us, 1e-6);
  replace(device.operation, s.operation_us, 1e-6);
  return device;
}

NetworkNumbers network_numbers(const PlanSettings& s) {
  NetworkNumbers network = network_preset(s.network);
  replace(network.bandwidth, s.network_gbits, 1e9 / 8);
  replace(network.latency, s.network_us, 1e-6);
  network.bandwidth *= static_cast<double>(s.links);
  return network;
}

}  // namespace masksc
