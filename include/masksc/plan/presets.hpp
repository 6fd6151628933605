// Devices and networks by name: the numbers of their data sheets.
#pragma once

#include <string>
#include <vector>

namespace masksc {

/// One accelerator, or one core, and its link to the others of its node.
struct DeviceNumbers {
  double half_flops = 0;        // FLOP/s, dense, bf16 and fp16
  double fp32_flops = 0;        // FLOP/s without TF32, which LibTorch leaves off
  double memory = 0;            // bytes that a program can use
  double memory_bandwidth = 0;  // bytes/s
  double link_bandwidth = 0;    // bytes/s to the other devices of the node, one direction
  double link_latency = 0;      // seconds a message
  double operation = 0;         // seconds that its host takes to start one operation
};

/// One link of a node to the others.
struct NetworkNumbers {
  double bandwidth = 0;  // bytes/s, one direction
  double latency = 0;    // seconds a message
};

std::vector<std::string> device_names();
std::vector<std::string> network_names();

/// The preset of a GPU by the name that its driver gives it ("NVIDIA H200"); "" for one that has none (PCIe cards are
/// slower ones of the same name).
std::string device_preset_of(const std::string& gpu_name);

/// Throw UserError for a name that is none of theirs.
DeviceNumbers device_preset(const std::string& name);
NetworkNumbers network_preset(const std::string& name);

}  // namespace masksc
