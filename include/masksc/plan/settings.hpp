// Options of --plan: the machine to plan for, and what is assumed of it.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/core/options.hpp"
#include "masksc/plan/presets.hpp"

namespace masksc {

/// Of the paper's PBMC.
inline constexpr std::int64_t kUsualCells = 4271;

struct PlanSettings {
  bool plan = false;
  bool json = false;
  std::int64_t cells = 0;  // 0: those of --input, kUsualCells without one
  std::int64_t genes = 0;  // 0: a full --matrix, 2000 with --matrix auto
  double density = 0.1;    // share of a cell's genes that have counts
  std::int64_t ranks = 8;
  std::int64_t gpus_per_node = 8;
  std::string device = "h100";
  std::string network = "ndr400";
  std::int64_t links = 1;     // of a node to the network
  double utilization = 0.35;  // share of the device's peak that the model's FLOP reach
  double overlap = 0.9;       // share of the backward pass that communication can hide behind

  // Instead of the preset's number; 0 keeps it.
  double peak_tflops = 0;
  double memory_gib = 0;
  double memory_gbps = 0;  // GB/s
  double link_gbps = 0;    // GB/s
  double link_us = 0;
  double operation_us = 0;
  double network_gbits = 0;
  double network_us = 0;
};

void describe(OptionTable& table, PlanSettings& settings);

/// Throws UserError on values out of range and unknown devices and networks.
void validate(const PlanSettings& settings);

/// The preset with what the options put in its place. A peak replaces that of every precision.
DeviceNumbers device_numbers(const PlanSettings& settings);
NetworkNumbers network_numbers(const PlanSettings& settings);

}  // namespace masksc
