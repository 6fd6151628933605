// The squared distance between two rows, in doubles.
#pragma once

#include <cstddef>
#include <span>

namespace masksc {

inline double squared_distance(std::span<const float> a, std::span<const float> b) {
  double squared = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squared += difference * difference;
  }
  return squared;
}

}  // namespace masksc
