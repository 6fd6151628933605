// Values of single options, as the command line and configurations give them. The first byte chooses the option.
#include "common.hpp"
#include "settings.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  masksc::fuzz::AllSettings settings;
  masksc::OptionTable table = settings.describe();
  const std::string name = table.options()[data[0] % table.options().size()].name;
  const std::string_view value = masksc::fuzz::text_of(data + 1, size - 1);
  if (masksc::fuzz::accepts([&] { table.set(name, value, "on the command line"); }))
    masksc::fuzz::check_round_trip(settings, table);
  masksc::fuzz::accepts([&] { table.set(value, "1", "on the command line"); });
  masksc::SimulationSettings simulation;
  masksc::OptionTable own;
  describe(own, simulation);
  const std::string other = own.options()[data[0] % own.options().size()].name;
  if (masksc::fuzz::accepts([&] { own.set(other, value, "on the command line"); }))
    masksc::fuzz::accepts([&] { validate(simulation); });
  return 0;
}
