// Mean and variance of each gene over the cells of all ranks, with the same bits on any number of ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "masksc/core/exact_sum.hpp"
#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Per gene (column). The variance is the unbiased one (divisor cells - 1), 0 for a single cell.
struct GeneMoments {
  std::vector<double> mean;
  std::vector<double> variance;
};

/// Sums over log-normalised rows, a block at a time, from which the moments of each gene in each group of cells come.
class MomentSums {
 public:
  /// Moments of exp(x) - 1, i.e. of the normalised counts, rounded to float32 where scanpy rounds; or of the logs.
  enum class Of { normalized_counts, logs };
  /// `group_cells`: cells of each group on all ranks; `median`: the total that cells were scaled to, so that no value
  /// exceeds it.
  MomentSums(Of of, std::int64_t genes, std::vector<std::int64_t> group_cells, double median);
  /// `group`: of each row of `block`; may be empty where there is one group.
  void add(const CsrMatrix& block, std::span<const std::int32_t> group = {});
  /// Adds up over the ranks. A collective, once.
  [[nodiscard]] std::vector<GeneMoments> finish(Collectives& ranks);

 private:
  Of of_;
  std::size_t genes_;
  std::vector<std::int64_t> group_cells_;
  double sum_scale_;
  double square_scale_;
  ExactSums sums_;  // value and square of each gene, side by side in memory, group after group
};

}  // namespace masksc
