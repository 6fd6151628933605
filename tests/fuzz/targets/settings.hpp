// The settings of all rooms without LibTorch, in one table.
#pragma once

#include <fmt/format.h>

#include "common.hpp"
#include "masksc/cluster/choose.hpp"
#include "masksc/core/configuration.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/plan/settings.hpp"
#include "masksc/preprocess/settings.hpp"
#include "masksc/simulate/splatter.hpp"

namespace masksc::fuzz {

struct AllSettings {
  std::string input;
  InputSettings counts;
  PreparationSettings preparation;
  ClusterSettings cluster;
  PlanSettings plan;
  SimulationSettings simulation;

  OptionTable describe() {
    OptionTable table;
    table.begin_group("Input and output", OptionRole::path);
    table.add("input", input, "a file", "FILE");
    masksc::describe(table, counts);
    masksc::describe(table, preparation);
    masksc::describe(table, cluster);
    masksc::describe(table, plan);
    OptionTable own;
    masksc::describe(own, simulation);
    return table;
  }
};

/// What a run would write to config.ini gives the same values again; checks of values do not crash.
inline void check_round_trip(const AllSettings& settings, const OptionTable& table) {
  std::string saved;
  for (const Option& option : table.options())
    if (!command_line_only(option.role) && !option.get().empty())
      saved += fmt::format("{} = {}\n", option.name, option.get());
  AllSettings copy;
  OptionTable again = copy.describe();
  require(accepts([&] { apply_configuration(saved, "saved.ini", again); }));
  for (const Option& option : table.options())
    if (!command_line_only(option.role)) require(option.get() == again.find(option.name)->get());
  accepts([&] { validate(settings.preparation); });
  accepts([&] { validate(settings.cluster); });
  accepts([&] { validate(settings.plan); });
  accepts([&] {
    choose_shape(settings.preparation.matrix, settings.preparation.patch, 20000, settings.preparation.tokens);
  });
}

}  // namespace masksc::fuzz
