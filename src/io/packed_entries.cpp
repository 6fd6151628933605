#include "packed_entries.hpp"

#include <algorithm>

namespace masksc::prepared {

std::vector<std::uint8_t> pack_counts(std::span<const float> values, std::vector<float>& large) {
  std::vector<std::uint8_t> bytes(values.size());
  bool all_fit = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto whole = static_cast<std::int32_t>(std::min(values[i], 256.0F));
    const bool fits = whole < 256 && static_cast<float>(whole) == values[i];
    bytes[i] = static_cast<std::uint8_t>(fits ? whole : 0);
    all_fit &= fits;
  }
  if (!all_fit)
    for (std::size_t i = 0; i < values.size(); ++i)
      if (bytes[i] == 0) large.push_back(values[i]);
  return bytes;
}

std::int64_t count_large(std::span<const std::uint8_t> bytes) { return std::count(bytes.begin(), bytes.end(), 0); }

void unpack_counts(std::span<const std::uint8_t> bytes, std::span<const float> large, std::span<float> values) {
  for (std::size_t i = 0; i < bytes.size(); ++i) values[i] = static_cast<float>(bytes[i]);
  auto next = large.begin();
  for (std::size_t i = 0; next != large.end(); ++i)
    if (bytes[i] == 0) values[i] = *next++;
}

}  // namespace masksc::prepared
