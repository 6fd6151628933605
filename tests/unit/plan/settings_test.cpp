// Presets, what options put in their place, and refusals.
#include "masksc/plan/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"
#include "masksc/plan/presets.hpp"
#include "paper.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Presets, AreOrderedAsTheirDataSheets) {
  EXPECT_EQ(device_preset("a100").half_flops, 312e12);
  EXPECT_EQ(device_preset("h100").half_flops, device_preset("h200").half_flops);
  EXPECT_GT(device_preset("h200").memory, device_preset("h100").memory);
  double before = 0;
  for (const std::string& name : network_names()) {
    EXPECT_GT(network_preset(name).bandwidth, before) << name;
    before = network_preset(name).bandwidth;
  }
}

TEST(Presets, OptionsReplaceEachNumber) {
  PlanSettings s;
  OptionTable table;
  describe(table, s);
  for (const auto& [name, value] : {std::pair{"plan-device", "a100"},
                                    {"plan-network", "10gbe"},
                                    {"plan-links", "2"},
                                    {"plan-peak", "100"},
                                    {"plan-memory", "40"},
                                    {"plan-memory-bandwidth", "1555"},
                                    {"plan-node-bandwidth", "64"},
                                    {"plan-node-latency", "7"},
                                    {"plan-network-bandwidth", "25"},
                                    {"plan-network-latency", "9"}})
    table.set(name, value, "here");
  const DeviceNumbers device = device_numbers(s);
  EXPECT_DOUBLE_EQ(device.half_flops, 100e12);
  EXPECT_DOUBLE_EQ(device.fp32_flops, 100e12);
  EXPECT_DOUBLE_EQ(device.memory, 40.0 * (1 << 30));
  EXPECT_DOUBLE_EQ(device.memory_bandwidth, 1555e9);
  EXPECT_DOUBLE_EQ(device.link_bandwidth, 64e9);
  EXPECT_DOUBLE_EQ(device.link_latency, 7e-6);
  const NetworkNumbers network = network_numbers(s);
  EXPECT_DOUBLE_EQ(network.bandwidth, 2 * 25e9 / 8);
  EXPECT_DOUBLE_EQ(network.latency, 9e-6);
}

TEST(Settings, StandOnTheCommandLineOnly) {
  PlanSettings s;
  OptionTable table;
  describe(table, s);
  for (const Option& option : table.options()) EXPECT_TRUE(command_line_only(option.role)) << option.name;
}

TEST(Settings, RefuseValuesOutOfRange) {
  for (const auto& [name, value] : {std::pair{"plan-ranks", "0"},
                                    {"plan-gpus-per-node", "0"},
                                    {"plan-cells", "-1"},
                                    {"plan-genes", "-1"},
                                    {"plan-utilization", "0"},
                                    {"plan-utilization", "1.5"},
                                    {"plan-overlap", "-0.1"},
                                    {"plan-peak", "-1"},
                                    {"plan-device", "h300"},
                                    {"plan-network", "carrier-pigeon"},
                                    {"plan-links", "0"},
                                    {"plan-ranks", "4294967296"}}) {
    PlanSettings s;
    OptionTable table;
    describe(table, s);
    table.set(name, value, "here");
    EXPECT_THAT([&] { validate(s); }, ThrowsMessage<UserError>(AllOf(HasSubstr(name), HasSubstr(value)))) << name;
  }
}

TEST(Settings, JsonNeedsPlan) {
  PlanSettings s;
  s.json = true;
  EXPECT_THAT([&] { validate(s); }, ThrowsMessage<UserError>(HasSubstr("--plan")));
}

TEST(Input, EveryRankNeedsACell) {
  PlanInput input = paper();
  EXPECT_NO_THROW(validate(input));
  input.ranks = 257;
  EXPECT_THAT([&] { validate(input); }, ThrowsMessage<UserError>(AllOf(HasSubstr("256"), HasSubstr("257"))));
  input.batch = 10000;
  input.ranks = 5000;
  EXPECT_THAT([&] { validate(input); }, ThrowsMessage<UserError>(HasSubstr("--plan-cells 4271")));
}

TEST(Presets, AreFoundByTheNameThatADriverGives) {
  EXPECT_EQ(device_preset_of("NVIDIA H200"), "h200");
  EXPECT_EQ(device_preset_of("NVIDIA H100 80GB HBM3"), "h100");
  EXPECT_EQ(device_preset_of("NVIDIA A100-SXM4-80GB"), "a100");
  for (const char* other : {"NVIDIA H100 PCIe", "NVIDIA A100-PCIE-40GB", "NVIDIA H100 NVL", "NVIDIA H200 MIG 1g.18gb"})
    EXPECT_EQ(device_preset_of(other), "") << other;
  EXPECT_EQ(device_preset_of("NVIDIA GeForce RTX 4090"), "");
}

}  // namespace
}  // namespace masksc
