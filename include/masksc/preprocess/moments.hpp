// Mean and variance of each gene over the cells of all ranks, with the same bits on any number of ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Per gene (column). The variance is the unbiased one (divisor cells - 1), 0 for a single cell.
struct GeneMoments {
  std::vector<double> mean;
  std::vector<double> variance;
};

/// Moments of exp(x) - 1 over log-normalised `values` [local cells, genes], i.e. of the normalised counts, rounded to
/// float32 where scanpy rounds. `median` is the total that cells were scaled to: no value exceeds it. A collective.
GeneMoments normalized_count_moments(const CsrMatrix& values, std::int64_t cells, double median, Collectives& ranks);

/// Moments of the log-normalised values themselves. A collective.
GeneMoments log_moments(const CsrMatrix& values, std::int64_t cells, double median, Collectives& ranks);

}  // namespace masksc
