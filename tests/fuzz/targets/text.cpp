// Text of strangers made fit to print.
#include <algorithm>
#include <vector>

#include "common.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace masksc;
  const std::string text(fuzz::text_of(data, size));
  const std::string shown_text = printable(text);
  fuzz::require(is_utf8(shown_text) && printable(shown_text) == shown_text);
  for (const char c : shown_text) fuzz::require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  fuzz::require(is_utf8(text) || shown_text != text);
  fuzz::require(shown(text).size() <= 4 * 80 + 3);
  const auto half = text.begin() + static_cast<std::ptrdiff_t>(size / 2);
  const std::vector<std::string> names = {std::string(text.begin(), half), std::string(half, text.end()), "label"};
  const std::string near = nearest_name(names[0], names);
  fuzz::require(near.empty() || std::find(names.begin(), names.end(), near) != names.end());
  shown(names);
  return 0;
}
