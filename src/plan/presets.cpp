#include "masksc/plan/presets.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr double tera = 1e12;
constexpr double giga = 1e9;
constexpr double micro = 1e-6;
constexpr double gib = 1024.0 * 1024 * 1024;

template <typename Numbers>
struct Preset {
  const char* name;
  Numbers numbers;
};

// GPUs: dense peaks, memory and NVLink (half of the two-way figure) of NVIDIA's data sheets: "A100 Tensor Core GPU"
// (80GB SXM: 312 / 19.5 TFLOP/s, 2039 GB/s, NVLink 600 GB/s), "H100 Tensor Core GPU" (SXM: 1979 TFLOP/s with sparsity,
// 67, 3.35 TB/s, 900 GB/s) and "H200 Tensor Core GPU" (as H100, 141 GB, 4.8 TB/s). Memory is what the driver leaves of
// 80, 80 and 141 GB. Latency: NCCL's order of magnitude for a hop over NVLink.
// Operations: what LibTorch with autograd takes on a server's CPU, an order of magnitude.
// cpu: one core with AVX2, two FMA of 8 floats a cycle at 2.5 GHz; memory is an assumption.
constexpr std::array<Preset<DeviceNumbers>, 4> devices = {{
    {"a100", {312 * tera, 19.5 * tera, 79 * gib, 2039 * giga, 300 * giga, 3 * micro, 7 * micro}},
    {"h100", {989.4 * tera, 67 * tera, 79 * gib, 3350 * giga, 450 * giga, 3 * micro, 7 * micro}},
    {"h200", {989.4 * tera, 67 * tera, 139 * gib, 4800 * giga, 450 * giga, 3 * micro, 7 * micro}},
    {"cpu", {80 * giga, 80 * giga, 4 * gib, 10 * giga, 5 * giga, 1 * micro, 0}},
}};

// Line rates: IEEE 802.3 (1, 10, 100 Gbit/s Ethernet), InfiniBand HDR 4x and NDR 4x (NVIDIA ConnectX-6 and ConnectX-7
// data sheets). Latency: Ethernet through the kernel's TCP, 100 GbE and InfiniBand by RDMA, as usually measured.
constexpr std::array<Preset<NetworkNumbers>, 5> networks = {{
    {"1gbe", {0.125 * giga, 50 * micro}},
    {"10gbe", {1.25 * giga, 25 * micro}},
    {"100gbe", {12.5 * giga, 5 * micro}},
    {"hdr200", {25 * giga, 2 * micro}},
    {"ndr400", {50 * giga, 2 * micro}},
}};

template <typename Presets>
std::vector<std::string> names_of(const Presets& presets) {
  std::vector<std::string> names;
  for (const auto& preset : presets) names.emplace_back(preset.name);
  return names;
}

template <typename Presets>
auto numbers_of(const Presets& presets, const char* option, const std::string& name) {
  for (const auto& preset : presets)
    if (name == preset.name) return preset.numbers;
  throw UserError(
      fmt::format("--{} needs one of {}, not '{}'", option, fmt::join(names_of(presets), ", "), shown(name)));
}

}  // namespace

std::string device_preset_of(const std::string& gpu_name) {
  // Cards with less power, or a part of a device.
  for (const char* const other : {"PCIe", "PCIE", "NVL", "MIG"})
    if (gpu_name.find(other) != std::string::npos) return "";
  for (const auto& [mark, preset] : {std::pair("A100", "a100"), std::pair("H100", "h100"), std::pair("H200", "h200")})
    if (gpu_name.find(mark) != std::string::npos) return preset;
  return "";
}

std::vector<std::string> device_names() { return names_of(devices); }
std::vector<std::string> network_names() { return names_of(networks); }
DeviceNumbers device_preset(const std::string& name) { return numbers_of(devices, "plan-device", name); }
NetworkNumbers network_preset(const std::string& name) { return numbers_of(networks, "plan-network", name); }

}  // namespace masksc
