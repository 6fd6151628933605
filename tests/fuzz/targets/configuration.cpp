// Texts of configurations: what is taken comes back from the configuration that a run saves.
#include "masksc/core/configuration.hpp"

#include "common.hpp"
#include "settings.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masksc::fuzz::AllSettings settings;
  masksc::OptionTable table = settings.describe();
  const std::string text(masksc::fuzz::text_of(data, size));
  if (masksc::fuzz::accepts([&] { masksc::apply_configuration(text, "x.ini", table); }))
    masksc::fuzz::check_round_trip(settings, table);
  return 0;
}
