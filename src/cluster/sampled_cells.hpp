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
  /// Of those here, from the labels of the local rows, which start with global row `first`.
  [[nodiscard]] std::vector<std::int32_t> labels_of(const std::vector<std::int32_t>& labels, std::int64_t first) const {
    std::vector<std::int32_t> sampled;
    for (std::int64_t i = local.rows.begin; i < local.rows.end; ++i)
      sampled.push_back(labels[static_cast<std::size_t>(chosen[static_cast<std::size_t>(i)] - first)]);
    return sampled;
  }
};

}  // namespace masksc
