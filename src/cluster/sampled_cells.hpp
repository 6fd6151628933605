// A sample of the cells, dealt out over the ranks as the cells are.
#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

/// At most so many of the cells, drawn by seed, and those of them that are here.
struct SampledCells {
  std::vector<std::int64_t> chosen;
  DealtSample local;

  SampledCells(const DenseMatrix& local_rows, RowRange rows, std::int64_t cells, std::int64_t most, std::uint64_t seed)
      : chosen(sample_rows(cells, most, seed)), local(take_rows(local_rows, rows, chosen)) {}
  [[nodiscard]] std::int64_t cells() const { return std::ssize(chosen); }
};

}  // namespace masksc
