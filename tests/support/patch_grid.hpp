// Places of the tokens of a matrix that is full of genes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace masksc {

/// Row and column of each token, in order.
inline std::vector<std::pair<std::int64_t, std::int64_t>> token_grid(std::int64_t rows, std::int64_t columns) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (std::int64_t t = 0; t < rows * columns; ++t) places.emplace_back(t / columns, t % columns);
  return places;
}

}  // namespace masksc
