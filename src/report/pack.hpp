// Numbers as text for the page: base64 of little-endian values, quantised where an eye sees no difference.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace masksc::detail {

std::string base64(std::span<const std::byte> bytes);

template <typename T>
std::string pack(const std::vector<T>& values) {
  return base64(std::as_bytes(std::span<const T>(values)));
}

/// round((value - low) / (high - low) * most), clamped; 0 where high <= low or the value isn't a number.
template <typename T>
std::vector<T> quantise(std::span<const float> values, float low, float high, float most) {
  std::vector<T> steps;
  steps.reserve(values.size());
  for (const float value : values) {
    const float share = high > low ? (value - low) / (high - low) : 0.0F;
    steps.push_back(static_cast<T>(share > 0 ? (share < 1 ? share * most + 0.5F : most) : 0.0F));
  }
  return steps;
}

}  // namespace masksc::detail
